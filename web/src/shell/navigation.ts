// Which server, channel and pane are in front.

import type { Channel } from "#proto/model";
import { settings, useSettings } from "#settings";
import { chosenChannel } from "./channelChoice.ts";

/** On a narrow screen one of these at a time. */
export type Pane = "channels" | "main" | "members";

export function selectServer(address: string): void {
  settings.update(() => ({ selectedServer: address }));
}

export function selectChannel(address: string, channelId: string): void {
  settings.update(({ selectedChannels }) => ({
    selectedServer: address,
    selectedChannels: { ...selectedChannels, [address]: channelId },
  }));
}

/** The channel in front on a server. */
export function useChosenChannel(address: string, channels: readonly Channel[]) {
  const chosenId = useSettings((s) => s.selectedChannels[address]);
  return chosenChannel(channels, chosenId);
}

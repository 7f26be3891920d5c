// Which server, channel and pane are in front.

import type { Channel } from "#proto/model";
import { ChannelKind } from "#proto/model";
import { settings, useSettings } from "#settings";

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

/** The chosen channel, or the first text channel when that is gone. */
export function chosenChannel(
  channels: readonly Channel[],
  chosenId: string | undefined,
): Channel | undefined {
  return (
    channels.find((channel) => channel.channelId === chosenId) ??
    channels.find((channel) => channel.kind === ChannelKind.TEXT) ??
    channels[0]
  );
}

/** The channel in front on a server. */
export function useChosenChannel(address: string, channels: readonly Channel[]) {
  const chosenId = useSettings((s) => s.selectedChannels[address]);
  return chosenChannel(channels, chosenId);
}

/** The neighbor `step` places on, around the ends. */
export function neighbor<T>(
  items: readonly T[],
  current: T | undefined,
  step: number,
): T | undefined {
  if (items.length === 0) return undefined;
  const index = current === undefined ? -1 : items.indexOf(current);
  if (index < 0) return items[0];
  return items[(index + step + items.length) % items.length];
}

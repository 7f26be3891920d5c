// Gives a composer the files that stand in it.

import { useSyncExternalStore } from "react";
import type { ServerLink } from "#socket";
import { trayOf } from "../files/tray.ts";

/** The channel's tray, and what is in it. */
export function useTray(link: ServerLink, channelId: string) {
  const tray = trayOf(link, channelId);
  const files = useSyncExternalStore(tray.subscribe, tray.files);
  return { tray, files };
}

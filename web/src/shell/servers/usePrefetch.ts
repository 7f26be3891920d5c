// Fetches the newest messages of a server's text channels, so that unread ones show and switching is
// instant.

import { useEffect } from "react";
import { fetchPage, markRead, readUpTo } from "#chat";
import { ChannelKind } from "#proto/model";
import { settings } from "#settings";
import { type ServerLink, useServerState } from "#socket";

/** More channels than this are fetched when they are opened. */
const mostChannels = 10;

async function prefetch(link: ServerLink, isOver: () => boolean): Promise<void> {
  const text = link.state().channels.filter(({ kind }) => kind === ChannelKind.TEXT);
  for (const { channelId } of text.slice(0, mostChannels)) {
    if (isOver()) return;
    if (!link.state().messages.get(channelId)?.loaded) await fetchPage(link, channelId, 0n);
    // What was there before the first visit is not news.
    const newest = link.state().messages.get(channelId)?.messages.at(-1);
    if (readUpTo(settings.read(), link.address, channelId) === undefined) {
      markRead(link.address, channelId, newest?.messageId ?? 0n);
    }
  }
}

export function usePrefetch(link: ServerLink): void {
  const isConnected = useServerState(link, (s) => s.phase.kind === "connected");
  useEffect(() => {
    if (!isConnected) return;
    let over = false;
    void prefetch(link, () => over);
    return () => {
      over = true;
    };
  }, [link, isConnected]);
}

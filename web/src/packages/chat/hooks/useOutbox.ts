// Gives components the pending messages of a channel.

import { useMemo, useSyncExternalStore } from "react";
import type { ServerLink } from "#socket";
import { outboxOf } from "../outbox/outboxOf.ts";

/** The channel's pending messages, and the server's outbox to act on them. */
export function useOutbox(link: ServerLink, channelId: string) {
  const outbox = outboxOf(link);
  const all = useSyncExternalStore(outbox.subscribe, outbox.pending);
  const pending = useMemo(() => all.filter((m) => m.channelId === channelId), [all, channelId]);
  return { outbox, pending };
}

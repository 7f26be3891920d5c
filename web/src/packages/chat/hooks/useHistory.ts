// Fetches a channel's messages: the first page when it is opened, older ones on demand.

import { useCallback, useEffect, useRef, useState } from "react";
import { explainRefusal, noMessages, type ServerLink, useServerState } from "#socket";

const pageSize = 50;

const inFlight = new Map<string, Promise<string | undefined>>();

/**
 * Asks for one page and adds it to the state; the same page asked for twice at once is one request.
 * Returns what went wrong, for a person.
 */
export function fetchPage(
  link: ServerLink,
  channelId: string,
  beforeMessageId: bigint,
): Promise<string | undefined> {
  const key = `${link.address} ${channelId} ${beforeMessageId}`;
  const known = inFlight.get(key);
  if (known) return known;
  const fetching = requestPage(link, channelId, beforeMessageId).finally(() =>
    inFlight.delete(key),
  );
  inFlight.set(key, fetching);
  return fetching;
}

async function requestPage(link: ServerLink, channelId: string, beforeMessageId: bigint) {
  const value = { channelId, beforeMessageId, limit: pageSize };
  const outcome = await link.request({ case: "fetchMessages", value });
  if (outcome.case === "messagePage") {
    link.addPage(channelId, outcome.value.messages, outcome.value.hasMore);
    return undefined;
  }
  // A lost request is asked again by the next session.
  return outcome.case === "refusal" ? explainRefusal(outcome.value) : undefined;
}

/** The channel's messages. `loadOlder` asks for the page before the oldest known. */
export function useHistory(link: ServerLink, channelId: string) {
  const history = useServerState(link, (s) => s.messages.get(channelId) ?? noMessages);
  const isConnected = useServerState(link, (s) => s.phase.kind === "connected");
  const [problem, setProblem] = useState<string | undefined>();
  const busy = useRef(false);

  const load = useCallback(
    async (before: bigint) => {
      if (busy.current) return;
      busy.current = true;
      setProblem(await fetchPage(link, channelId, before));
      busy.current = false;
    },
    [link, channelId],
  );

  const { loaded } = history;
  useEffect(() => {
    if (isConnected && !loaded) void load(0n);
  }, [isConnected, loaded, load]);

  const oldest = history.messages[0]?.messageId;
  const loadOlder = useCallback(() => {
    if (loaded && history.hasOlder && oldest !== undefined && isConnected) void load(oldest);
  }, [loaded, history.hasOlder, oldest, isConnected, load]);

  const retry = useCallback(() => void load(loaded ? (oldest ?? 0n) : 0n), [load, loaded, oldest]);
  return { ...history, problem, loadOlder, retry };
}

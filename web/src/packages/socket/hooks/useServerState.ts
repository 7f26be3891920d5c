// Gives components what is known about a server.

import { useSyncExternalStore } from "react";
import type { ServerLink } from "../connection/serverLink.ts";
import type { ServerState } from "../state/serverState.ts";

/** The part of the server's state that `select` picks. It has to return what is stored, not a new object. */
export function useServerState<T>(link: ServerLink, select: (state: ServerState) => T): T {
  return useSyncExternalStore(link.subscribeState, () => select(link.state()));
}

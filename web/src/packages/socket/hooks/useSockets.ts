// Gives components the servers of this client.

import { createContext, use, useSyncExternalStore } from "react";
import type { ServerLink } from "../connection/serverLink.ts";
import type { Sockets } from "../connection/sockets.ts";

export const SocketsContext = createContext<Sockets | undefined>(undefined);

/** The links in the order of the rail, and how to change them. */
export function useSockets(): {
  links: readonly ServerLink[];
  add: Sockets["add"];
  remove: Sockets["remove"];
} {
  const sockets = use(SocketsContext);
  if (!sockets) throw new Error("useSockets needs a SocketsProvider above it");
  const links = useSyncExternalStore(sockets.subscribe, sockets.links);
  return { links, add: sockets.add, remove: sockets.remove };
}

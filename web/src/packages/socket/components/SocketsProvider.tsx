// Gives the components below it the servers of this client.

import type { ReactNode } from "react";
import type { Sockets } from "../connection/sockets.ts";
import { SocketsContext } from "../hooks/useSockets.ts";

export function SocketsProvider(props: { sockets: Sockets; children: ReactNode }) {
  return <SocketsContext value={props.sockets}>{props.children}</SocketsContext>;
}

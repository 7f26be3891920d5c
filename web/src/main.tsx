// Starts the client.

import "@fontsource-variable/inter";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { log } from "#log";
import { followTheme, settings } from "#settings";
import { discover, inviteIn, Sockets, SocketsProvider } from "#socket";
import { App } from "./shell/App.tsx";
import { finishSignIn } from "./shell/signedIn.ts";

/** The server that this page came from is the first of the rail. */
async function addOwnServer(sockets: Sockets): Promise<void> {
  if (settings.read().servers.some(({ address }) => address === location.origin)) return;
  const result = await discover(location.origin, location);
  const name = result.kind === "found" ? result.discovery.name : location.host;
  // A page of a plain file server has no server of its own.
  if (result.kind === "failed" && result.failure === "notGryt") return;
  sockets.addFirst({ address: location.origin, name });
}

async function start(): Promise<void> {
  followTheme();
  const sockets = new Sockets();
  await addOwnServer(sockets);
  await finishSignIn(sockets);
  sockets.start();
  const invite = inviteIn(location.pathname);
  const root = document.getElementById("root");
  if (!root) return;
  createRoot(root).render(
    <StrictMode>
      <SocketsProvider sockets={sockets}>
        <App invite={invite} />
      </SocketsProvider>
    </StrictMode>,
  );
}

start().catch((error: unknown) => log.error("client did not start", { error }));

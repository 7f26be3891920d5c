// The way back from an issuer: which server it was for, and whether it went well.

import { settings } from "#settings";
import { returningTo, type Sockets, signedInPath } from "#socket";
import { selectServer } from "./navigation.ts";

/** Finishes a sign-in that the page's address carries, and cleans that address. */
export async function finishSignIn(sockets: Sockets): Promise<void> {
  if (location.pathname !== signedInPath) return;
  const addresses = settings.read().servers.map(({ address }) => address);
  const address = returningTo(addresses, location.search, localStorage);
  const link = address && sockets.link(address);
  if (link) {
    await link.finishSignIn();
    selectServer(link.address);
  }
  // The code in the address is used up: a reload must not try it again.
  history.replaceState(null, "", "/");
}

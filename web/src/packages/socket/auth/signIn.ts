// One server's sign-in: OIDC code + PKCE against the issuer that the server names. The tokens live
// in localStorage, so that a reload stays signed in; all tabs share them.

import { ErrorResponse, type User, UserManager, WebStorageStateStore } from "oidc-client-ts";
import { log } from "#log";
import type { ServerAddress } from "../types/connection.ts";
import type { Discovery } from "./discovery.ts";

/** Where the issuer sends the browser back to. */
export const signedInPath = "/signed-in";

/** A token to use, or why there is none. */
export type TokenResult =
  | { kind: "token"; token: string; expiresAtMs: number }
  /** Nobody is signed in. */
  | { kind: "missing" }
  /** The issuer does not renew it: a reset password, a sign-out elsewhere, or too long ago. */
  | { kind: "ended" }
  | { kind: "unreachable" };

/** What the issuer's page is to begin with. */
export interface SignInWish {
  prompt?: "create" | "login";
  /** The token of an invite link. */
  invite?: string;
}

/** A token with less left is not worth opening a socket with. */
const leastSecondsLeft = 20;

function prefix(address: ServerAddress): string {
  return `gryt.oidc.${address}.`;
}

function usable(user: User): boolean {
  return (user.expires_in ?? 0) > leastSecondsLeft;
}

function asToken(user: User): TokenResult {
  return { kind: "token", token: user.access_token, expiresAtMs: (user.expires_at ?? 0) * 1_000 };
}

/** The address whose sign-in the browser comes back from, if it is one of `addresses`. */
export function returningTo(
  addresses: readonly ServerAddress[],
  search: string,
  storage: Pick<Storage, "getItem">,
): ServerAddress | undefined {
  const state = new URLSearchParams(search).get("state");
  if (!state) return undefined;
  return addresses.find((address) => storage.getItem(`${prefix(address)}${state}`) !== null);
}

/** The sign-in of one server. */
export class SignIn {
  readonly #address: ServerAddress;
  readonly #manager: UserManager;

  constructor(address: ServerAddress, discovery: Discovery) {
    this.#address = address;
    const store = new WebStorageStateStore({ prefix: prefix(address), store: localStorage });
    this.#manager = new UserManager({
      authority: discovery.issuer,
      client_id: discovery.clientId,
      redirect_uri: `${location.origin}${signedInPath}`,
      post_logout_redirect_uri: `${location.origin}/`,
      response_type: "code",
      scope: "openid profile",
      userStore: store,
      stateStore: store,
      automaticSilentRenew: false,
      monitorSession: false,
    });
  }

  /** A token for the socket. `fresh`: the stored one will not do. */
  async token(fresh: boolean): Promise<TokenResult> {
    const before = await this.#manager.getUser();
    if (before === null) return { kind: "missing" };
    if (!fresh && usable(before)) return asToken(before);
    // A refresh token works once: two tabs that use the same one would end the sign-in.
    return navigator.locks.request(prefix(this.#address), () => this.#refresh(before));
  }

  async #refresh(before: User): Promise<TokenResult> {
    const stored = await this.#manager.getUser();
    if (stored === null) return { kind: "missing" };
    if (stored.access_token !== before.access_token && usable(stored)) return asToken(stored);
    if (!stored.refresh_token) return usable(stored) ? asToken(stored) : { kind: "ended" };
    try {
      const user = await this.#manager.signinSilent();
      return user ? asToken(user) : { kind: "missing" };
    } catch (error) {
      if (error instanceof ErrorResponse && error.error === "invalid_grant") {
        await this.#manager.removeUser();
        return { kind: "ended" };
      }
      log.warn("token could not be renewed", { server: this.#address, error });
      return { kind: "unreachable" };
    }
  }

  /** Leaves the page for the issuer's. Rejects when the issuer cannot be asked. */
  async begin(wish: SignInWish = {}): Promise<void> {
    const { prompt, invite } = wish;
    await this.#manager.signinRedirect({
      ...(prompt && { prompt }),
      ...(invite && { extraQueryParams: { invite } }),
    });
  }

  /** Takes what the issuer sent back in the address of the page. Rejects when it refused. */
  async finish(): Promise<void> {
    await this.#manager.signinRedirectCallback();
    await this.#manager.clearStaleState();
  }

  /** Forgets the tokens, and leaves the page to end the issuer's own session where it has an end. */
  async end(): Promise<void> {
    const endpoint = await this.#manager.metadataService
      .getEndSessionEndpoint()
      .catch(() => undefined);
    if (endpoint) await this.#manager.signoutRedirect();
    else await this.#manager.removeUser();
  }
}

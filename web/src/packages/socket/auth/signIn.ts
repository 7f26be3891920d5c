// One server's sign-in: OIDC code + PKCE against the issuers that the server names. The tokens live
// in localStorage, so that a reload stays signed in; all tabs share them.

import { ErrorResponse, type User, UserManager, WebStorageStateStore } from "oidc-client-ts";
import { log } from "#log";
import type { ServerAddress } from "../types/connection.ts";
import type { Discovery, Issuer } from "./discovery.ts";

/** Where the issuer sends the browser back to. */
export const signedInPath = "/signed-in";

/** A token to use, or why there is none. */
export type TokenResult =
  | { kind: "token"; token: string; expiresAtMs: number }
  /** Nobody is signed in. */
  | { kind: "missing" }
  /** The issuer does not renew it: a reset password, a sign-out elsewhere, or too long ago. */
  | { kind: "ended" }
  /** The issuer does not answer. */
  | { kind: "unreachable" };

/** What the issuer's page is to begin with. */
export interface SignInWish {
  /** One of the names in the server's discovery. Left out: the first. */
  issuer?: string;
  prompt?: "create" | "login";
  /** The token of an invite link. */
  invite?: string;
}

/** A token with less left is not worth opening a socket with. */
const leastSecondsLeft = 20;

const timeoutMs = 5_000;

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

/** Whether another tab forgot a sign-in of the address. */
export function isSignOutOf(
  address: ServerAddress,
  { key, newValue }: Pick<StorageEvent, "key" | "newValue">,
): boolean {
  return newValue === null && key?.startsWith(`${prefix(address)}user:`) === true;
}

/** The issuer of a sign-in that was begun, by what was kept of it. */
export function authorityOf(kept: string | null): string | undefined {
  try {
    const { authority } = JSON.parse(kept ?? "null") as { authority?: unknown };
    return typeof authority === "string" ? authority : undefined;
  } catch {
    return undefined;
  }
}

/** The sign-in of one server: at one issuer at a time. */
export class SignIn {
  readonly #address: ServerAddress;
  readonly #managers: ReadonlyMap<Issuer, UserManager>;

  constructor(address: ServerAddress, { issuers }: Discovery) {
    this.#address = address;
    const store = new WebStorageStateStore({ prefix: prefix(address), store: localStorage });
    this.#managers = new Map(
      issuers.map((issuer) => [
        issuer,
        new UserManager({
          authority: issuer.url,
          client_id: issuer.clientId,
          redirect_uri: `${location.origin}${signedInPath}`,
          post_logout_redirect_uri: `${location.origin}/`,
          response_type: "code",
          scope: "openid profile",
          userStore: store,
          stateStore: store,
          automaticSilentRenew: false,
          monitorSession: false,
          requestTimeoutInSeconds: timeoutMs / 1_000,
        }),
      ]),
    );
  }

  /** A token for the socket. `fresh`: the stored one will not do. */
  async token(fresh: boolean): Promise<TokenResult> {
    const found = await this.#signedIn();
    if (found === undefined) return { kind: "missing" };
    const { manager, user } = found;
    if (!fresh && usable(user)) return asToken(user);
    // A refresh token works once: two tabs that use the same one would end the sign-in.
    return navigator.locks.request(prefix(this.#address), () => this.#refresh(manager, user));
  }

  /** Where somebody is signed in. */
  async #signedIn(): Promise<{ issuer: Issuer; manager: UserManager; user: User } | undefined> {
    for (const [issuer, manager] of this.#managers) {
      const user = await manager.getUser();
      if (user !== null) return { issuer, manager, user };
    }
    return undefined;
  }

  async #refresh(manager: UserManager, before: User): Promise<TokenResult> {
    const stored = await manager.getUser();
    if (stored === null) return { kind: "missing" };
    if (stored.access_token !== before.access_token && usable(stored)) return asToken(stored);
    if (!stored.refresh_token) return usable(stored) ? asToken(stored) : { kind: "ended" };
    try {
      const user = await manager.signinSilent();
      return user ? asToken(user) : { kind: "missing" };
    } catch (error) {
      if (error instanceof ErrorResponse && error.error === "invalid_grant") {
        await manager.removeUser();
        return { kind: "ended" };
      }
      log.warn("token could not be renewed", { server: this.#address, error });
      return { kind: "unreachable" };
    }
  }

  /** Leaves the page for the issuer's. Rejects when the issuer cannot be asked. */
  async begin(wish: SignInWish = {}): Promise<void> {
    const { prompt, invite } = wish;
    const issuers = [...this.#managers.keys()];
    const issuer = issuers.find(({ name }) => name === wish.issuer) ?? issuers[0];
    const manager = issuer && this.#managers.get(issuer);
    if (!manager) throw new Error("the server names no issuer");
    await manager.signinRedirect({
      ...(prompt && { prompt }),
      ...(invite && { extraQueryParams: { invite } }),
    });
  }

  /** Takes what the issuer sent back in the address of the page. Rejects when it refused. */
  async finish(): Promise<void> {
    const state = new URLSearchParams(location.search).get("state") ?? "";
    const authority = authorityOf(localStorage.getItem(`${prefix(this.#address)}${state}`));
    const entries = [...this.#managers];
    const entry = entries.find(([{ url }]) => url === authority);
    if (!entry) throw new Error("the server does not name this issuer any more");
    const [issuer, manager] = entry;
    await manager.signinRedirectCallback();
    // One person per server: who signs in at another issuer is somebody else there.
    for (const [other, theirs] of entries) if (other !== issuer) await theirs.removeUser();
    await manager.clearStaleState();
  }

  /**
   * Forgets the tokens, and leaves the page to end the issuer's own session where it has an end. An
   * issuer that does not answer keeps its session, and nobody is left on a page that does not load.
   */
  async end(): Promise<void> {
    const found = await this.#signedIn();
    if (!found) return;
    const { issuer, manager } = found;
    const endpoint = (await answers(issuer))
      ? await manager.metadataService.getEndSessionEndpoint().catch(() => undefined)
      : undefined;
    if (endpoint) await manager.signoutRedirect();
    else await manager.removeUser();
  }
}

async function answers({ url }: Issuer): Promise<boolean> {
  try {
    const document = `${url.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const signal = AbortSignal.timeout(timeoutMs);
    return (await fetch(document, { signal, cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

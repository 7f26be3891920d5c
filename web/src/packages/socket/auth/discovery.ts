// Asks an address what server it is: `GET /.well-known/gryt`.

import type { ServerAddress } from "../types/connection.ts";

/** Where people of a server can sign in. */
export interface Issuer {
  /** Stable. `local`: accounts of the server's own. */
  name: string;
  /** What to call it. */
  label: string;
  /** The issuer of OpenID Connect. */
  url: string;
  clientId: string;
}

/** What a server says about itself before anyone signs in. */
export interface Discovery {
  serverId: string;
  name: string;
  socketUrl: string;
  /** At least one, in the order in which to offer them. */
  issuers: readonly Issuer[];
  protocolVersion: number;
  /** Nobody makes an account without an invite. */
  byInvite: boolean;
}

/** Why an address is of no use. */
export type DiscoveryFailure =
  /** Nothing answers there. */
  | "unreachable"
  /** Something answers, and it is no Gryt server. */
  | "notGryt"
  /** Something answers, and does not let pages of this origin read it. */
  | "originRefused"
  /** The page is https and the address http: the browser blocks that. */
  | "insecure";

export type DiscoveryResult =
  | { kind: "found"; discovery: Discovery }
  | { kind: "failed"; failure: DiscoveryFailure };

const timeoutMs = 8_000;

type Fields = Record<string, unknown>;

/** A reader of the texts in an object. */
function textsOf(found: unknown): (key: string) => string | undefined {
  const fields = (typeof found === "object" && found !== null ? found : {}) as Fields;
  return (key) => {
    const value = fields[key];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
}

/** Reads the answer. Undefined: not a Gryt server's. */
function parseDiscovery(found: unknown): Discovery | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  const fields = found as Fields;
  const text = textsOf(found);
  const [serverId, name, socketUrl] = [text("server_id"), text("name"), text("socket_url")];
  const issuers = parseIssuers(fields);
  const protocolVersion = fields.protocol_version;
  if (!serverId || !name || !socketUrl || !issuers) return undefined;
  if (typeof protocolVersion !== "number") return undefined;
  const byInvite = fields.registration === "invite";
  return { serverId, name, socketUrl, issuers, protocolVersion, byInvite };
}

/** A server of before there was a choice names one issuer, and that is its own. */
function parseIssuers(fields: Fields): Issuer[] | undefined {
  const listed = fields.issuers ?? [{ ...fields, name: "local", label: "Account" }];
  if (!Array.isArray(listed) || listed.length === 0) return undefined;
  const issuers = listed.flatMap((entry: unknown) => {
    const text = textsOf(entry);
    const [name, label, url] = [text("name"), text("label"), text("issuer")];
    const clientId = text("client_id");
    return name && label && url && clientId && isWeb(url) ? [{ name, label, url, clientId }] : [];
  });
  return issuers.length === listed.length ? issuers : undefined;
}

function isWeb(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

function failed(failure: DiscoveryFailure): DiscoveryResult {
  return { kind: "failed", failure };
}

/** Asks `address`. Never rejects. `page`: where this client itself was loaded from. */
export async function discover(
  address: ServerAddress,
  page: { origin: string; protocol: string },
  fetcher: typeof fetch = fetch,
): Promise<DiscoveryResult> {
  const url = `${address}/.well-known/gryt`;
  const isBlocked = page.protocol === "https:" && /^http:\/\/(?!localhost|127\.)/.test(address);
  if (isBlocked) return failed("insecure");
  let response: Response;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    response = await fetcher(url, { signal, credentials: "omit", cache: "no-store" });
  } catch {
    if (address === page.origin) return failed("unreachable");
    return failed((await answersAtAll(url, fetcher)) ? "originRefused" : "unreachable");
  }
  // Proxies answer 5xx for a server that is just restarting.
  if (response.status >= 500) return failed("unreachable");
  if (response.status === 403) return failed("originRefused");
  const discovery = response.ok
    ? parseDiscovery(await response.json().catch(() => undefined))
    : undefined;
  return discovery ? { kind: "found", discovery } : failed("notGryt");
}

/** Without CORS nothing can be read, but a refusal can be told from silence. */
async function answersAtAll(url: string, fetcher: typeof fetch): Promise<boolean> {
  try {
    await fetcher(url, { mode: "no-cors", signal: AbortSignal.timeout(timeoutMs) });
    return true;
  } catch {
    return false;
  }
}

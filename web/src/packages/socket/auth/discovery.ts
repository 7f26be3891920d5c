// Asks an address what server it is: `GET /.well-known/gryt`.

import type { ServerAddress } from "../types/connection.ts";

/** What a server says about itself before anyone signs in. */
export interface Discovery {
  serverId: string;
  name: string;
  socketUrl: string;
  issuer: string;
  clientId: string;
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

/** Reads the answer. Undefined: not a Gryt server's. */
function parseDiscovery(found: unknown): Discovery | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  const fields = found as Record<string, unknown>;
  const text = (key: string) => {
    const value = fields[key];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const [serverId, name, socketUrl, issuer, clientId] = [
    text("server_id"),
    text("name"),
    text("socket_url"),
    text("issuer"),
    text("client_id"),
  ];
  const protocolVersion = fields.protocol_version;
  if (!serverId || !name || !socketUrl || !issuer || !clientId) return undefined;
  if (typeof protocolVersion !== "number") return undefined;
  const byInvite = fields.registration === "invite";
  return { serverId, name, socketUrl, issuer, clientId, protocolVersion, byInvite };
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

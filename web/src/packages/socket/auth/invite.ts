// Asks an issuer what the token of an invite link is worth.

/** What an invite is worth. */
type InviteStanding = "good" | "expired" | "used" | "revoked" | "unknown";

/** `slow`: too many wrong invites came from here. */
export type InviteAnswer = InviteStanding | "slow" | "unreachable";

const standings: readonly string[] = ["good", "expired", "used", "revoked", "unknown"];
const timeoutMs = 8_000;

/** Never rejects. The token travels in the body: addresses are logged by proxies. */
export async function checkInvite(
  issuer: string,
  token: string,
  fetcher: typeof fetch = fetch,
): Promise<InviteAnswer> {
  try {
    const response = await fetcher(`${issuer}/invite`, {
      method: "POST",
      body: new URLSearchParams({ token }),
      credentials: "omit",
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 429) return "slow";
    if (!response.ok) return "unreachable";
    const { standing } = (await response.json()) as { standing?: unknown };
    if (typeof standing !== "string" || !standings.includes(standing)) return "unreachable";
    return standing as InviteStanding;
  } catch {
    return "unreachable";
  }
}

/** The token in the path of an invite link, or undefined: the page is another one. */
export function inviteIn(path: string): string | undefined {
  return /^\/invite\/([^/]+)\/?$/.exec(path)?.[1];
}

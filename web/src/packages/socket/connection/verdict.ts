// What a server's reason to end a session means for the client.

import { Reason } from "#proto/reason";
import type { StopReason } from "../types/connection.ts";

/** `again`: come back after the backoff and `leastWaitMs`. `renew`: the same, with a fresh token. */
export type Verdict =
  | { kind: "again"; leastWaitMs: number; issuerAway?: boolean }
  | { kind: "renew" }
  | { kind: "stop"; reason: StopReason };

const firstCloseCode = 4_000;

/** The reason that a close code stands for: 4000 plus its number. */
export function reasonOfClose(code: number): Reason | undefined {
  const reason = code - firstCloseCode;
  return reason > 0 && reason in Reason ? reason : undefined;
}

/** Judges the reason of a `Goodbye` or of a refused `Hello`. */
export function verdictOn(reason: Reason): Verdict {
  switch (reason) {
    case Reason.CLIENT_TOO_OLD:
      return { kind: "stop", reason: "clientTooOld" };
    case Reason.ORIGIN_FORBIDDEN:
      return { kind: "stop", reason: "originForbidden" };
    case Reason.FORBIDDEN:
      return { kind: "stop", reason: "forbidden" };
    case Reason.MALFORMED:
    case Reason.TOO_LARGE:
      return { kind: "stop", reason: "clientDefect" };
    case Reason.RATE_LIMITED:
      return { kind: "again", leastWaitMs: 60_000 };
    case Reason.ISSUER_UNAVAILABLE:
      return { kind: "again", leastWaitMs: 5_000, issuerAway: true };
    case Reason.UNAUTHENTICATED:
    case Reason.TOKEN_EXPIRED:
      return { kind: "renew" };
    default:
      return { kind: "again", leastWaitMs: 0 };
  }
}

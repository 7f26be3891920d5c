// What a server's reason to end a session means for the client.

import { Reason } from "#proto/reason";
import type { StopReason } from "../types/connection.ts";

/** `again`: come back after the backoff. `renew`: the same, with a fresh token. */
export type Verdict = { kind: "again" } | { kind: "renew" } | { kind: "stop"; reason: StopReason };

/** Judges the reason of a `Goodbye` or of a refused `Hello`. */
export function verdictOn(reason: Reason): Verdict {
  switch (reason) {
    case Reason.CLIENT_TOO_OLD:
      return { kind: "stop", reason: "clientTooOld" };
    case Reason.ORIGIN_FORBIDDEN:
      return { kind: "stop", reason: "originForbidden" };
    case Reason.FORBIDDEN:
      return { kind: "stop", reason: "forbidden" };
    case Reason.UNAUTHENTICATED:
    case Reason.TOKEN_EXPIRED:
      return { kind: "renew" };
    default:
      return { kind: "again" };
  }
}

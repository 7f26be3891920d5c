// What other packages know about one server's connection. Its making is in ../connection.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientFrameSchema, Event, Refusal, Reply, Welcome } from "#proto/socket";

/** The server's address as an origin, for example `https://chat.example.org`. Names a server in this client. */
export type ServerAddress = string;

/** A request as protobuf-es wants it: `{ case: "joinVoice", value: { channelId, ... } }`. */
export type Request = NonNullable<MessageInitShape<typeof ClientFrameSchema>["request"]> & {
  case: string;
};

/** The answers other than a refusal, as protobuf-es decodes them. */
export type Answer = Exclude<Reply["result"], { case: undefined } | { case: "refusal" }>;

/**
 * How a request ended. `lost`: the socket went away before the reply, so it may or may not have
 * been carried out. A request made without a live session is `lost` at once.
 */
export type Outcome = Answer | { case: "refusal"; value: Refusal } | { case: "lost" };

/** Where the connection stands. Only `connected` carries requests. */
export type ConnectionPhase =
  | { kind: "signedOut"; why: SignedOutReason }
  | { kind: "connecting" }
  | { kind: "connected" }
  /** `retryAtMs`: when the next attempt starts or started, by the same clock as `Date.now()`.
   *  `issuerAway`: it is not the server that fails but the issuer, which does not answer. */
  | { kind: "reconnecting"; attempt: number; retryAtMs: number; issuerAway?: true }
  /** Nothing more happens until the person acts. */
  | { kind: "stopped"; reason: StopReason };

/**
 * `left`: by the person here, or never signed in. `ended`: by the issuer, or elsewhere. `refused`:
 * the server does not take the issuer's tokens, not even fresh ones.
 */
export type SignedOutReason = "left" | "ended" | "refused";

/** What keeps the client from going on by itself. */
export type StopReason = "clientTooOld" | "clientDefect" | "originForbidden" | "forbidden";

/** What a subscriber is told, in the order in which it happened. */
export type ConnectionNotice =
  | { kind: "phase"; phase: ConnectionPhase }
  /** A session began. `resumed` false: everything known before is void. */
  | { kind: "welcome"; welcome: Welcome }
  | { kind: "event"; event: Event };

/** One server's connection. Stays the same object over reconnects. */
export interface ServerConnection {
  readonly address: ServerAddress;
  /** Where it stands at this moment. */
  phase(): ConnectionPhase;
  /** Sends a request. Never rejects. */
  request(request: Request): Promise<Outcome>;
  /** Calls `listener` with everything from here on. Returns the end of it. */
  subscribe(listener: (notice: ConnectionNotice) => void): () => void;
}

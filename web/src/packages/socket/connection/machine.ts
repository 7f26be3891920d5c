// One server's connection as a state machine: what happened goes in, what has to be done comes out.
// It knows no WebSocket, no clock and no sign-in.

import { create } from "@bufbuild/protobuf";
import { Reason } from "#proto/reason";
import {
  type ClientFrame,
  ClientFrameSchema,
  type Cursor,
  type Event,
  type Reply,
  type ServerFrame,
  type Welcome,
} from "#proto/socket";
import type {
  ConnectionNotice,
  ConnectionPhase,
  Outcome,
  Request,
  SignedOutReason,
} from "../types/connection.ts";
import { backoffMs, longestSeenMs, longestUnseenMs } from "./backoff.ts";
import { reasonOfClose, verdictOn } from "./verdict.ts";

/** The protocol this client speaks. */
const protocolVersion = 1;

/** A token and where to use it. */
export interface Credentials {
  token: string;
  expiresAtMs: number;
  socketUrl: string;
}

export type TimerName = "retry" | "ping" | "renew";

/** What happened. */
export type Input =
  | { kind: "start" }
  | { kind: "credentials"; credentials: Credentials }
  /** Nobody is signed in. */
  | { kind: "credentialsMissing" }
  /** The sign-in has ended for good. */
  | { kind: "credentialsEnded" }
  /** The server or its issuer could not be asked. `issuerAway`: it was the issuer. */
  | { kind: "credentialsUnreachable"; issuerAway: boolean }
  | { kind: "opened" }
  | { kind: "frame"; frame: ServerFrame }
  /** `code`: the close code, which carries the reason when the goodbye was lost. */
  | { kind: "closed"; code: number }
  | { kind: "timer"; timer: TimerName }
  | { kind: "request"; request: Request; ticket: number }
  /** The network came back: waiting has no point. */
  | { kind: "hurry" }
  /** Somebody looks at the page, or no longer does. */
  | { kind: "seen"; visible: boolean }
  | { kind: "signOut" };

/** What the shell has to do. */
export type Effect =
  /** `fresh`: a token from storage will not do. */
  | { kind: "fetchCredentials"; fresh: boolean }
  | { kind: "open"; credentials: Credentials }
  | { kind: "send"; frame: ClientFrame }
  | { kind: "close" }
  /** Replaces the timer of that name. */
  | { kind: "setTimer"; timer: TimerName; atMs: number }
  | { kind: "clearTimers" }
  | { kind: "settle"; ticket: number; outcome: Outcome }
  | { kind: "notify"; notice: ConnectionNotice };

/** Requests of the machine itself carry no ticket of a caller. */
type Waiting = { ticket: number } | "hello" | "ping" | "renew";

/** The token is renewed this long before it expires, or at half its life if that is shorter. */
const renewAheadMs = 60_000;

/** While the issuer is away, a live session asks for a new token this often. */
const renewAgainMs = 15_000;

/**
 * Feeds inputs, returns effects. Requests in flight are bounded by the callers; all of them are
 * settled exactly once, as `lost` when the socket goes away.
 */
export class ConnectionMachine {
  #phase: ConnectionPhase = { kind: "connecting" };
  #socket: "none" | "opening" | "greeting" | "live" = "none";
  #attempt = 0;
  #visible = true;
  /** Until then the server wants to be left alone. */
  #notBeforeMs = 0;
  #wantsFreshToken = false;
  /** A fresh token was refused once already: a second time the sign-in is over. */
  #refusedFresh = false;
  #fetching = false;
  #cursor: Cursor | undefined;
  /** The last session, whose place in a room moves to the next one. Empty: none. */
  #sessionId = "";
  #pingMs = 0;
  #lastRequestId = 0n;
  readonly #waiting = new Map<bigint, Waiting>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  phase(): ConnectionPhase {
    return this.#phase;
  }

  handle(input: Input, nowMs: number): Effect[] {
    switch (input.kind) {
      case "start":
        return this.#begin(nowMs);
      case "credentials":
        return this.#takeCredentials(input.credentials, nowMs);
      case "credentialsMissing":
        this.#fetching = false;
        // After a session it went away in another tab.
        return this.#endSignIn(this.#sessionId === "" ? "left" : "ended");
      case "credentialsEnded":
        this.#fetching = false;
        return this.#endSignIn("ended");
      case "credentialsUnreachable":
        this.#fetching = false;
        // A live session goes on with the token it has; the server says when that is over.
        if (this.#socket === "live") return [this.#renewAgain(nowMs)];
        return this.#retryLater(nowMs, { issuerAway: input.issuerAway });
      case "opened":
        return this.#greet();
      case "frame":
        return this.#takeFrame(input.frame, nowMs);
      case "closed":
        return this.#takeClosed(input.code, nowMs);
      case "timer":
        return this.#takeTimer(input.timer, nowMs);
      case "request":
        return this.#sendRequest(input.request, input.ticket);
      case "hurry":
        return this.#phase.kind === "reconnecting" ? this.#begin(nowMs) : [];
      case "seen":
        return this.#see(input.visible, nowMs);
      case "signOut":
        return this.#endSignIn("left");
    }
  }

  #begin(nowMs: number): Effect[] {
    if (this.#socket !== "none" || this.#fetching) return [];
    this.#fetching = true;
    const phase: ConnectionPhase =
      this.#phase.kind === "reconnecting"
        ? { ...this.#phase, retryAtMs: Math.min(this.#phase.retryAtMs, nowMs) }
        : { kind: "connecting" };
    return [
      { kind: "clearTimers" },
      ...this.#enter(phase),
      { kind: "fetchCredentials", fresh: this.#wantsFreshToken },
    ];
  }

  /** Whoever comes back to the page does not wait out the long pause of an unseen one. */
  #see(visible: boolean, nowMs: number): Effect[] {
    const cameBack = visible && !this.#visible;
    this.#visible = visible;
    if (!cameBack || this.#phase.kind !== "reconnecting" || nowMs < this.#notBeforeMs) return [];
    return this.#begin(nowMs);
  }

  #takeCredentials(credentials: Credentials, nowMs: number): Effect[] {
    this.#fetching = false;
    this.#wantsFreshToken = false;
    const renew = this.#renewTimer(credentials, nowMs);
    if (this.#socket === "live") {
      const value = { token: credentials.token };
      return [this.#send({ case: "renewToken", value }, "renew"), renew];
    }
    if (this.#socket !== "none") return [renew];
    if (this.#phase.kind !== "connecting" && this.#phase.kind !== "reconnecting") return [];
    this.#socket = "opening";
    return [{ kind: "open", credentials }, renew];
  }

  #renewTimer({ expiresAtMs }: Credentials, nowMs: number): Effect {
    const left = Math.max(0, expiresAtMs - nowMs);
    const wait = Math.max(left - renewAheadMs, left / 2, 1_000);
    return { kind: "setTimer", timer: "renew", atMs: nowMs + wait };
  }

  #renewAgain(nowMs: number): Effect {
    return { kind: "setTimer", timer: "renew", atMs: nowMs + renewAgainMs };
  }

  #greet(): Effect[] {
    if (this.#socket !== "opening") return [];
    this.#socket = "greeting";
    const resume = this.#cursor === undefined ? {} : { resume: this.#cursor };
    const value = { protocolVersion, sessionId: this.#sessionId, ...resume };
    return [this.#send({ case: "hello", value }, "hello")];
  }

  #takeFrame({ frame }: ServerFrame, nowMs: number): Effect[] {
    switch (frame.case) {
      case "reply":
        return this.#takeReply(frame.value, nowMs);
      case "event":
        return this.#takeEvent(frame.value);
      case "goodbye":
        return this.#obey(frame.value.reason, nowMs);
      case undefined:
        return [];
    }
  }

  #takeEvent(event: Event): Effect[] {
    if (event.eventId !== 0n && this.#cursor !== undefined) {
      this.#cursor = { ...this.#cursor, eventId: event.eventId };
    }
    return [{ kind: "notify", notice: { kind: "event", event } }];
  }

  #takeReply({ requestId, result }: Reply, nowMs: number): Effect[] {
    const waiting = this.#waiting.get(requestId);
    if (waiting === undefined || result.case === undefined) return [];
    this.#waiting.delete(requestId);
    if (typeof waiting === "object") {
      return [{ kind: "settle", ticket: waiting.ticket, outcome: result }];
    }
    if (result.case === "refusal") {
      const { reason } = result.value;
      // The server cannot check the new token yet; until the old one ends the session goes on.
      if (waiting === "renew" && reason === Reason.ISSUER_UNAVAILABLE) {
        return [this.#renewAgain(nowMs)];
      }
      return waiting === "ping" ? [] : this.#obey(reason, nowMs);
    }
    if (waiting === "hello" && result.case === "welcome") {
      return this.#takeWelcome(result.value, nowMs);
    }
    return [];
  }

  #takeWelcome(welcome: Welcome, nowMs: number): Effect[] {
    this.#socket = "live";
    this.#attempt = 0;
    this.#refusedFresh = false;
    this.#cursor = welcome.cursor;
    this.#sessionId = welcome.sessionId;
    this.#pingMs = Math.max(1, welcome.pingIntervalSeconds) * 1_000;
    return [
      { kind: "setTimer", timer: "ping", atMs: nowMs + this.#pingMs },
      { kind: "notify", notice: { kind: "welcome", welcome } },
      ...this.#enter({ kind: "connected" }),
    ];
  }

  #takeTimer(timer: TimerName, nowMs: number): Effect[] {
    switch (timer) {
      case "retry":
        return this.#begin(nowMs);
      case "renew":
        if (this.#socket !== "live" || this.#fetching) return [];
        this.#fetching = true;
        return [{ kind: "fetchCredentials", fresh: true }];
      case "ping":
        return this.#ping(nowMs);
    }
  }

  #ping(nowMs: number): Effect[] {
    if (this.#socket !== "live") return [];
    // The last ping went unanswered for a whole interval: the path is dead, whatever TCP thinks.
    if ([...this.#waiting.values()].includes("ping")) {
      return [...this.#dropSocket(), ...this.#retryLater(nowMs)];
    }
    return [
      this.#send({ case: "ping", value: {} }, "ping"),
      { kind: "setTimer", timer: "ping", atMs: nowMs + this.#pingMs },
    ];
  }

  #sendRequest(request: Request, ticket: number): Effect[] {
    if (this.#socket !== "live") return [{ kind: "settle", ticket, outcome: { case: "lost" } }];
    return [this.#send(request, { ticket })];
  }

  #takeClosed(code: number, nowMs: number): Effect[] {
    if (this.#socket === "none") return [];
    const reason = reasonOfClose(code);
    if (reason !== undefined) return this.#obey(reason, nowMs);
    // A browser hides why a handshake failed. It may be the token, so the next one is fresh.
    if (this.#socket === "opening") this.#wantsFreshToken = true;
    return [...this.#dropSocket(), ...this.#retryLater(nowMs)];
  }

  #obey(reason: Reason, nowMs: number): Effect[] {
    const verdict = verdictOn(reason);
    const dropped = this.#dropSocket();
    switch (verdict.kind) {
      case "stop":
        return [...dropped, ...this.#enter({ kind: "stopped", reason: verdict.reason })];
      case "again":
        return [...dropped, ...this.#retryLater(nowMs, verdict)];
      case "renew":
        if (this.#refusedFresh) return [...dropped, ...this.#endSignIn("refused")];
        this.#refusedFresh = true;
        this.#wantsFreshToken = true;
        return [...dropped, ...this.#retryLater(nowMs)];
    }
  }

  #retryLater(nowMs: number, why: { leastWaitMs?: number; issuerAway?: boolean } = {}): Effect[] {
    const { leastWaitMs = 0, issuerAway = false } = why;
    const longestMs = this.#visible ? longestSeenMs : longestUnseenMs;
    this.#notBeforeMs = nowMs + leastWaitMs;
    const retryAtMs = this.#notBeforeMs + backoffMs(this.#attempt, this.#random(), longestMs);
    this.#attempt += 1;
    return [
      { kind: "setTimer", timer: "retry", atMs: retryAtMs },
      ...this.#enter({
        kind: "reconnecting",
        attempt: this.#attempt,
        retryAtMs,
        ...(issuerAway && { issuerAway }),
      }),
    ];
  }

  #endSignIn(why: SignedOutReason): Effect[] {
    this.#cursor = undefined;
    this.#sessionId = "";
    this.#refusedFresh = false;
    this.#wantsFreshToken = false;
    this.#attempt = 0;
    return [...this.#dropSocket(), ...this.#enter({ kind: "signedOut", why })];
  }

  #dropSocket(): Effect[] {
    const lost: Effect[] = [...this.#waiting.values()].flatMap((waiting) =>
      typeof waiting === "object"
        ? [{ kind: "settle", ticket: waiting.ticket, outcome: { case: "lost" } } as const]
        : [],
    );
    this.#waiting.clear();
    this.#socket = "none";
    return [{ kind: "clearTimers" }, { kind: "close" }, ...lost];
  }

  #enter(phase: ConnectionPhase): Effect[] {
    this.#phase = phase;
    return [{ kind: "notify", notice: { kind: "phase", phase } }];
  }

  #send(request: Request, waiting: Waiting): Effect {
    this.#lastRequestId += 1n;
    this.#waiting.set(this.#lastRequestId, waiting);
    const frame = create(ClientFrameSchema, { requestId: this.#lastRequestId, request });
    return { kind: "send", frame };
  }
}

// The messages of this page that a server has not acknowledged, as a state machine. Each keeps its
// nonce however often it is sent, so that it becomes one message. Per channel one is under way at a
// time: a later one never overtakes an earlier one.

import { Reason } from "#proto/reason";
import type { Refusal } from "#proto/socket";

/** A file that was uploaded for a message. */
export interface PendingFile {
  readonly ticket: string;
  readonly name: string;
}

/** A message on its way. */
export interface PendingMessage {
  readonly nonce: string;
  readonly channelId: string;
  readonly text: string;
  readonly files: readonly PendingFile[];
  readonly createdAtMs: number;
  /** `waiting`: for its turn or for the connection. */
  readonly state: "waiting" | "sending" | "failed";
  /** Why it failed, for a person. */
  readonly problem: string | undefined;
}

/** How a sending ended. */
export type SendOutcome =
  | { kind: "acknowledged" }
  | { kind: "lost" }
  | { kind: "refused"; refusal: Refusal; explanation: string };

export type OutboxInput =
  | {
      kind: "compose";
      nonce: string;
      channelId: string;
      text: string;
      files: readonly PendingFile[];
    }
  | { kind: "connected" }
  | { kind: "disconnected" }
  | { kind: "outcome"; nonce: string; outcome: SendOutcome }
  /** The message came back as an event, which may overtake its own reply. */
  | { kind: "seen"; nonce: string }
  | { kind: "retry"; nonce: string }
  | { kind: "discard"; nonce: string }
  | { kind: "wake" };

export type OutboxEffect =
  | { kind: "send"; message: PendingMessage }
  /** Feed `wake` then. */
  | { kind: "wakeAt"; atMs: number };

const shortestWaitMs = 500;

/** Unbounded on purpose: it grows only by what a person types. */
export class Outbox {
  #pending: readonly PendingMessage[] = [];
  #connected = false;
  /** The server asked to wait: until then nothing is sent. */
  #holdUntilMs = 0;

  /** In the order of writing. The same array until something changes. */
  pending = (): readonly PendingMessage[] => this.#pending;

  handle(input: OutboxInput, nowMs: number): OutboxEffect[] {
    switch (input.kind) {
      case "compose":
        this.#add(input, nowMs);
        break;
      case "connected":
        this.#connected = true;
        this.#holdUntilMs = 0;
        break;
      case "disconnected":
        this.#connected = false;
        this.#pending = this.#pending.map((m) =>
          m.state === "sending" ? { ...m, state: "waiting" } : m,
        );
        break;
      case "outcome":
        return [...this.#conclude(input.nonce, input.outcome, nowMs), ...this.#sendNext(nowMs)];
      case "seen":
      case "discard":
        this.#pending = this.#pending.filter(({ nonce }) => nonce !== input.nonce);
        break;
      case "retry":
        this.#change(input.nonce, { state: "waiting", problem: undefined });
        break;
      case "wake":
        break;
    }
    return this.#sendNext(nowMs);
  }

  #add(composed: OutboxInput & { kind: "compose" }, createdAtMs: number): void {
    const { nonce, channelId, text, files } = composed;
    const message = { nonce, channelId, text, files, createdAtMs, problem: undefined };
    this.#pending = [...this.#pending, { ...message, state: "waiting" }];
  }

  #conclude(nonce: string, outcome: SendOutcome, nowMs: number): OutboxEffect[] {
    switch (outcome.kind) {
      case "acknowledged":
        this.#pending = this.#pending.filter((message) => message.nonce !== nonce);
        return [];
      case "lost":
        this.#change(nonce, { state: "waiting" });
        return [];
      case "refused":
        if (outcome.refusal.reason === Reason.RATE_LIMITED) {
          this.#change(nonce, { state: "waiting" });
          this.#holdUntilMs = nowMs + Math.max(shortestWaitMs, outcome.refusal.retryAfterMs);
          return [{ kind: "wakeAt", atMs: this.#holdUntilMs }];
        }
        this.#change(nonce, { state: "failed", problem: outcome.explanation });
        return [];
    }
  }

  #change(nonce: string, change: Partial<PendingMessage>): void {
    this.#pending = this.#pending.map((message) =>
      message.nonce === nonce ? { ...message, ...change } : message,
    );
  }

  /** Sends the first waiting message of each channel that has none under way. */
  #sendNext(nowMs: number): OutboxEffect[] {
    if (!this.#connected || nowMs < this.#holdUntilMs) return [];
    const busy = new Set<string>();
    const effects: OutboxEffect[] = [];
    for (const message of this.#pending) {
      const { channelId, state } = message;
      // A failed one waits for the person and lets the others pass.
      if (state === "failed" || busy.has(channelId)) continue;
      busy.add(channelId);
      if (state === "waiting") effects.push({ kind: "send", message });
    }
    for (const effect of effects) {
      if (effect.kind === "send") this.#change(effect.message.nonce, { state: "sending" });
    }
    return effects;
  }
}

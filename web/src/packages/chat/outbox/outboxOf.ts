// The shell of the outboxes: one for each server, for as long as the page lives.

import { explainRefusal, type Outcome, type ServerLink } from "#socket";
import {
  Outbox,
  type OutboxEffect,
  type OutboxInput,
  type PendingFile,
  type PendingMessage,
  type SendOutcome,
} from "./outbox.ts";

/** A server's outbox, connected. */
export class ServerOutbox {
  readonly #outbox = new Outbox();
  readonly #link: ServerLink;
  readonly #listeners = new Set<() => void>();

  constructor(link: ServerLink) {
    this.#link = link;
    if (link.phase().kind === "connected") this.#feed({ kind: "connected" });
    link.subscribe((notice) => {
      if (notice.kind === "phase") {
        const isConnected = notice.phase.kind === "connected";
        this.#feed({ kind: isConnected ? "connected" : "disconnected" });
      } else if (notice.kind === "event" && notice.event.event.case === "messageCreated") {
        const { memberId, nonce } = notice.event.event.value;
        if (nonce !== "" && memberId === link.state().me?.memberId) {
          this.#feed({ kind: "seen", nonce });
        }
      }
    });
  }

  compose = (channelId: string, text: string, files: readonly PendingFile[] = []): void =>
    this.#feed({ kind: "compose", nonce: crypto.randomUUID(), channelId, text, files });

  retry = (nonce: string): void => this.#feed({ kind: "retry", nonce });

  discard = (nonce: string): void => this.#feed({ kind: "discard", nonce });

  pending = (): readonly PendingMessage[] => this.#outbox.pending();

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #feed(input: OutboxInput): void {
    const before = this.#outbox.pending();
    const effects = this.#outbox.handle(input, Date.now());
    for (const effect of effects) this.#perform(effect);
    if (before !== this.#outbox.pending()) for (const listener of [...this.#listeners]) listener();
  }

  #perform(effect: OutboxEffect): void {
    switch (effect.kind) {
      case "send":
        void this.#send(effect.message);
        break;
      case "wakeAt":
        setTimeout(() => this.#feed({ kind: "wake" }), Math.max(0, effect.atMs - Date.now()));
        break;
    }
  }

  async #send({ nonce, channelId, text, files }: PendingMessage): Promise<void> {
    const attachments = files.map(({ ticket }) => ticket);
    const value = { channelId, text, nonce, attachments };
    const outcome = await this.#link.request({ case: "sendMessage", value });
    if (outcome.case === "sentMessage" && outcome.value.message) {
      this.#link.addMessage(outcome.value.message);
    }
    this.#feed({ kind: "outcome", nonce, outcome: sendOutcome(outcome) });
  }
}

function sendOutcome(outcome: Outcome): SendOutcome {
  if (outcome.case === "refusal") {
    const explanation = explainRefusal(outcome.value);
    return { kind: "refused", refusal: outcome.value, explanation };
  }
  return { kind: outcome.case === "lost" ? "lost" : "acknowledged" };
}

const outboxes = new WeakMap<ServerLink, ServerOutbox>();

/** The outbox of a server, made at its first use. */
export function outboxOf(link: ServerLink): ServerOutbox {
  const known = outboxes.get(link) ?? new ServerOutbox(link);
  outboxes.set(link, known);
  return known;
}

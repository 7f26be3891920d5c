// Random lives of a call: whatever comes in whatever order, effects stay paired and one at a time.

import { describe, expect, test } from "vitest";
import { Call } from "./call.ts";
import type { CallEffect, CallEvent, Timer } from "./callTypes.ts";

/** mulberry32: the same seed makes the same life. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const CHANNELS = ["lounge", "stage"];
const CAUSES = ["forbidden", "noNode", "badAnswer", "staleOffer", "server"] as const;
const ENDS = ["channelDeleted", "mediaLost", "nodeLost", "replaced"] as const;

function anyEvent(next: () => number, attempts: number): CallEvent {
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const attempt = Math.max(0, attempts - below(2));
  const revision = 1 + below(4);
  const channelId = pick(CHANNELS);
  const offer = { channelId, participantId: 1 + below(2), revision, sdp: "" };
  const refusal = { cause: pick(CAUSES), message: "", retryAfterMs: below(2) * 500 };
  return pick<CallEvent>([
    { kind: "join", channelId, listenOnly: next() < 0.3 },
    { kind: "leave" },
    { kind: "elsewhere", flags: { muted: next() < 0.5, deafened: next() < 0.5 } },
    { kind: "setMuted", muted: next() < 0.5 },
    { kind: "setDeafened", deafened: next() < 0.5 },
    { kind: "microphone", available: next() < 0.7 },
    { kind: "joinAccepted", attempt, offer },
    { kind: "joinAccepted", attempt, offer },
    { kind: "joinRefused", attempt, refusal },
    { kind: "answerMade", attempt, revision, sdp: "" },
    { kind: "answerFailed", attempt, revision },
    { kind: "answerAccepted", attempt, revision },
    { kind: "answerRefused", attempt, revision, refusal },
    { kind: "offered", offer },
    { kind: "seatEnded", channelId, end: pick(ENDS) },
    { kind: "mediaConnected", attempt },
    { kind: "mediaInterrupted", attempt },
    { kind: "mediaFailed", attempt },
    { kind: "seatUnknown", attempt },
    { kind: "socketLost" },
    { kind: "socketResumed", seats: next() < 0.5 ? [offer] : [] },
    { kind: "timeout", timer: "retry" },
    { kind: "timeout", timer: "media" },
  ]);
}

/** What the performer of the effects would hold. */
class World {
  peer: number | undefined;
  attempts = 0;
  hasAudio = false;
  hasMicrophone = false;
  socketUp = true;
  readonly timers = new Set<Timer>();
  answering: string | undefined;

  take(event: CallEvent): void {
    if (event.kind === "socketLost") this.socketUp = false;
    if (event.kind === "socketResumed") this.socketUp = true;
    if (event.kind === "timeout") this.timers.delete(event.timer);
  }

  perform(effect: CallEffect): void {
    switch (effect.kind) {
      case "startAudio":
        expect(this.hasAudio).toBe(false);
        this.hasAudio = true;
        break;
      case "stopAudio":
        expect(this.hasAudio).toBe(true);
        this.hasAudio = false;
        break;
      case "acquireMicrophone":
        expect(this.hasMicrophone).toBe(false);
        this.hasMicrophone = true;
        break;
      case "releaseMicrophone":
        expect(this.hasMicrophone).toBe(true);
        this.hasMicrophone = false;
        break;
      case "openPeer":
        expect(this.peer).toBeUndefined();
        expect(effect.attempt).toBe(this.attempts);
        this.peer = effect.attempt;
        break;
      case "closePeer":
        expect(this.peer).toBe(effect.attempt);
        this.peer = undefined;
        break;
      case "requestJoin":
        expect(this.socketUp).toBe(true);
        this.attempts = effect.attempt;
        break;
      case "answer":
        expect(this.peer).toBe(effect.attempt);
        break;
      case "requestLeave":
      case "sendAnswer":
      case "sendFlags":
        expect(this.socketUp).toBe(true);
        break;
      case "startTimer":
        expect(this.timers).not.toContain(effect.timer);
        expect(effect.afterMs).toBeGreaterThan(0);
        this.timers.add(effect.timer);
        break;
      case "stopTimer":
        this.timers.delete(effect.timer);
        break;
      case "applyFlags":
        break;
    }
  }

  /** The world has to be what the phase says it is. */
  check(call: Call): void {
    const phase = call.phase();
    const isActive = "wish" in phase;
    expect(this.hasAudio).toBe(isActive);
    expect(this.hasMicrophone).toBe(isActive && !phase.wish.listenOnly);
    expect(this.peer).toBe("attempt" in phase ? phase.attempt : undefined);
    const timer =
      phase.kind === "waiting" && phase.until === "retry"
        ? ["retry"]
        : phase.kind === "seated" && phase.media !== "connected"
          ? ["media"]
          : [];
    expect([...this.timers]).toEqual(timer);
    if (phase.kind === "joining") expect(this.socketUp).toBe(true);
    if (phase.kind === "waiting") expect(phase.until === "socket").toBe(!this.socketUp);
  }
}

describe("any life of a call", () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))("seed %d stays legal", (seed) => {
    const next = random(seed);
    const call = new Call(true, next);
    const world = new World();
    for (let step = 0; step < 400; step += 1) {
      const event = anyEvent(next, world.attempts);
      const isDue = event.kind !== "timeout" || world.timers.has(event.timer);
      if (!isDue) continue;
      world.take(event);
      for (const effect of call.handle(event)) world.perform(effect);
      world.check(call);
    }
  });
});

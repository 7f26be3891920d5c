// A voice call as a state machine: `handle` takes what happened and returns what to do.
// Knows no browser, no socket and no clock; randomness is an argument.

import { backoffMs } from "./backoff.ts";
import type {
  CallEffect,
  CallEvent,
  CallFailure,
  CallPhase,
  Negotiation,
  Offer,
  Refusal,
  SeatEnd,
  VoiceFlags,
  Wish,
} from "./callTypes.ts";
import { type CallView, viewOf } from "./callView.ts";

/** From the offer to media. ICE and DTLS take some round trips; ten seconds are a blocked path. */
export const CONNECT_MS = 10_000;
/** How long an interrupted path may come back by itself before the call joins anew. */
export const INTERRUPTED_MS = 3_000;
/** Attempts before a call that was never heard gives up. */
const FIRST_TRIES = 3;
/** Attempts before a call that was heard gives up: some two minutes. */
const LATER_TRIES = 12;

type Seated = Extract<CallPhase, { kind: "seated" }>;

/** One device's call. At most one seat, one peer and one offer in work. */
export class Call {
  #phase: CallPhase = { kind: "idle" };
  #wanted: VoiceFlags = { muted: false, deafened: false };
  #microphone = true;
  #socketUp: boolean;
  #attempts = 0;
  /** What the server was last told; undefined when that is not known. */
  #told: VoiceFlags | undefined;
  /** The call was left while the socket was away. */
  #owesLeave = false;
  #effects: CallEffect[] = [];

  constructor(
    socketUp: boolean,
    private readonly random: () => number,
  ) {
    this.#socketUp = socketUp;
  }

  phase = (): CallPhase => this.#phase;

  /** Takes one event and returns what has to be done, in this order. */
  handle(event: CallEvent): CallEffect[] {
    this.#effects = [];
    this.#apply(event);
    return this.#effects;
  }

  view(): CallView {
    return viewOf(this.#phase, this.#wanted, this.#microphone);
  }

  #apply(event: CallEvent): void {
    switch (event.kind) {
      case "join":
        this.#join(event.channelId, event.listenOnly);
        return;
      case "elsewhere":
        this.#adopt(event.flags);
        return;
      case "leave":
        this.#leave();
        return;
      case "setMuted":
        // Who wants to speak wants to hear: unmuting ends deafness, as people expect.
        this.#want({
          muted: event.muted,
          deafened: event.muted && this.#wanted.deafened,
        });
        return;
      case "setDeafened":
        this.#want({ ...this.#wanted, deafened: event.deafened });
        return;
      case "microphone":
        this.#microphone = event.available;
        this.#do({ kind: "applyFlags", flags: this.#flags() });
        this.#tell();
        return;
      case "socketLost":
        this.#loseSocket();
        return;
      case "socketResumed":
        this.#resume(event.seats);
        return;
      case "seatEnded":
        this.#endSeat(event.channelId, event.end);
        return;
      case "offered":
        this.#takeOffer(event.offer);
        return;
      case "timeout":
        this.#timeOut(event.timer);
        return;
      case "joinAccepted":
      case "joinRefused":
        this.#takeJoinReply(event);
        return;
      default:
        this.#takePeerEvent(event);
        return;
    }
  }

  #do(...effects: CallEffect[]): void {
    this.#effects.push(...effects);
  }

  #join(channelId: string, listenOnly: boolean): void {
    const phase = this.#phase;
    if ("wish" in phase && phase.wish.channelId === channelId) {
      if (phase.wish.listenOnly === listenOnly) return;
    }
    const wasActive = "wish" in phase;
    const hadMicrophone = wasActive && !phase.wish.listenOnly;
    if (wasActive) this.#dropAttempt();
    if (!hadMicrophone && !listenOnly) this.#microphone = true;
    this.#owesLeave = false;
    // The request first: its answer is under way while the sound is made ready.
    this.#attempt({ channelId, listenOnly, tries: 0, wasConnected: false });
    if (!wasActive) this.#do({ kind: "startAudio" });
    if (hadMicrophone && listenOnly) this.#do({ kind: "releaseMicrophone" });
    if (!hadMicrophone && !listenOnly) this.#do({ kind: "acquireMicrophone" });
    this.#do({ kind: "applyFlags", flags: this.#flags() });
  }

  /** Nobody is heard without wanting it: who is silent there, or was here, starts silent. */
  #adopt({ muted, deafened }: VoiceFlags): void {
    if ("wish" in this.#phase) return;
    this.#wanted = {
      muted: this.#wanted.muted || muted,
      deafened: this.#wanted.deafened || deafened,
    };
  }

  #leave(): void {
    if (!("wish" in this.#phase)) {
      this.#phase = { kind: "idle" };
      return;
    }
    this.#stop({ kind: "idle" });
    if (this.#socketUp) this.#do({ kind: "requestLeave" });
    else this.#owesLeave = true;
  }

  /** Asks for a seat; the peer is made meanwhile. */
  #attempt(wish: Wish): void {
    if (!this.#socketUp) {
      this.#phase = {
        kind: "waiting",
        wish,
        until: "socket",
        cause: { kind: "serverUnreachable" },
      };
      return;
    }
    this.#attempts += 1;
    const attempt = this.#attempts;
    const { channelId, listenOnly } = wish;
    const flags = this.#flags();
    this.#told = flags;
    this.#phase = { kind: "joining", wish, attempt, early: undefined };
    this.#do(
      { kind: "requestJoin", attempt, channelId, listenOnly, flags },
      { kind: "openPeer", attempt },
    );
  }

  #takeJoinReply(event: Extract<CallEvent, { kind: "joinAccepted" | "joinRefused" }>): void {
    const phase = this.#phase;
    if (phase.kind !== "joining" || phase.attempt !== event.attempt) {
      // The person left before the reply: a seat that was given after all is given back.
      const unwanted = event.kind === "joinAccepted" && !("wish" in phase);
      if (unwanted && this.#socketUp) this.#do({ kind: "requestLeave" });
      return;
    }
    if (event.kind === "joinRefused") {
      this.#takeRefusal(phase.wish, event.refusal);
      return;
    }
    const { wish, attempt, early } = phase;
    const { participantId } = event.offer;
    const overtaken =
      early?.participantId === participantId && early.revision > event.offer.revision;
    const offer = overtaken ? early : event.offer;
    this.#phase = {
      kind: "seated",
      wish,
      attempt,
      participantId,
      negotiation: { step: "answering", offer, next: undefined },
      media: "connecting",
    };
    this.#do(
      { kind: "answer", attempt, offer },
      { kind: "startTimer", timer: "media", afterMs: CONNECT_MS },
    );
    this.#tell();
  }

  #takeRefusal(wish: Wish, refusal: Refusal): void {
    const failure: CallFailure = { kind: "refused", refusal };
    const passing =
      refusal.cause === "noNode" || refusal.cause === "rateLimited" || refusal.cause === "server";
    if (passing) this.#retry(wish, failure, refusal.retryAfterMs);
    else this.#fail(failure);
  }

  #takeOffer(offer: Offer): void {
    const phase = this.#phase;
    if (phase.kind === "joining" && phase.wish.channelId === offer.channelId) {
      this.#phase = { ...phase, early: newest(phase.early, offer) };
    }
    if (phase.kind !== "seated" || phase.participantId !== offer.participantId) return;
    const { negotiation } = phase;
    if (offer.revision <= revisionOf(negotiation)) return;
    if (negotiation.step === "stable") this.#answer(phase, offer);
    else {
      const next = newest(negotiation.next, offer);
      this.#phase = { ...phase, negotiation: { ...negotiation, next } };
    }
  }

  #answer(phase: Seated, offer: Offer): void {
    this.#phase = { ...phase, negotiation: { step: "answering", offer, next: undefined } };
    this.#do({ kind: "answer", attempt: phase.attempt, offer });
  }

  #takePeerEvent(
    event: Exclude<CallEvent, { kind: "joinAccepted" | "joinRefused" }> & { attempt: number },
  ): void {
    const phase = this.#phase;
    if (phase.kind !== "seated" || phase.attempt !== event.attempt) return;
    switch (event.kind) {
      case "mediaConnected":
        if (phase.media === "connected") return;
        this.#phase = {
          ...phase,
          media: "connected",
          wish: { ...phase.wish, tries: 0, wasConnected: true },
        };
        this.#do({ kind: "stopTimer", timer: "media" });
        return;
      case "mediaInterrupted":
        if (phase.media !== "connected") return;
        this.#phase = { ...phase, media: "interrupted" };
        this.#do({ kind: "startTimer", timer: "media", afterMs: INTERRUPTED_MS });
        return;
      case "mediaFailed":
        this.#retry(phase.wish, { kind: "mediaUnreachable" });
        return;
      case "seatUnknown":
        this.#dropAttempt();
        this.#attempt(phase.wish);
        return;
      case "answerMade":
      case "answerFailed":
      case "answerAccepted":
      case "answerRefused":
        this.#takeAnswerStep(phase, event);
        return;
    }
  }

  #takeAnswerStep(
    phase: Seated,
    event: Extract<
      CallEvent,
      { kind: "answerMade" | "answerFailed" | "answerAccepted" | "answerRefused" }
    >,
  ): void {
    const { negotiation } = phase;
    if (negotiation.step === "stable" || negotiation.offer.revision !== event.revision) return;
    switch (event.kind) {
      case "answerMade": {
        if (negotiation.step !== "answering") return;
        const sending: Negotiation = { ...negotiation, step: "sending", sdp: event.sdp };
        this.#phase = { ...phase, negotiation: sending };
        if (this.#socketUp) this.#sendAnswer(phase.attempt, sending);
        return;
      }
      case "answerFailed":
        this.#retry(phase.wish, { kind: "browser" });
        return;
      case "answerAccepted":
        this.#settle(phase, negotiation);
        return;
      case "answerRefused":
        // A newer offer is on its way, or here already.
        if (event.refusal.cause === "staleOffer") {
          this.#settle(phase, negotiation);
          return;
        }
        this.#retry(phase.wish, { kind: "refused", refusal: event.refusal });
        return;
    }
  }

  #sendAnswer(attempt: number, sending: Extract<Negotiation, { step: "sending" }>): void {
    const { channelId, revision } = sending.offer;
    this.#do({ kind: "sendAnswer", attempt, channelId, revision, sdp: sending.sdp });
  }

  #settle(phase: Seated, negotiation: Exclude<Negotiation, { step: "stable" }>): void {
    if (negotiation.next !== undefined) {
      this.#answer(phase, negotiation.next);
      return;
    }
    const { revision } = negotiation.offer;
    this.#phase = { ...phase, negotiation: { step: "stable", revision } };
  }

  #endSeat(channelId: string, end: SeatEnd): void {
    const phase = this.#phase;
    if (!("wish" in phase) || phase.wish.channelId !== channelId) return;
    if (end === "channelDeleted") {
      this.#fail({ kind: "channelDeleted" });
      return;
    }
    // Without a seat this is about an earlier one, whose end is what led here.
    if (phase.kind !== "seated") return;
    if (end === "replaced") {
      this.#fail({ kind: "replaced" });
      return;
    }
    this.#retry(phase.wish, { kind: "mediaUnreachable" });
  }

  #loseSocket(): void {
    this.#socketUp = false;
    this.#told = undefined;
    const phase = this.#phase;
    // A seat outlives the socket, and so does the call; only a request in flight is lost.
    if (phase.kind !== "joining" && phase.kind !== "waiting") return;
    this.#dropAttempt();
    this.#phase = {
      kind: "waiting",
      wish: phase.wish,
      until: "socket",
      cause: phase.kind === "waiting" ? phase.cause : { kind: "serverUnreachable" },
    };
  }

  #resume(seats: readonly Pick<Offer, "channelId" | "participantId">[]): void {
    this.#socketUp = true;
    const phase = this.#phase;
    if (phase.kind === "waiting" && phase.until === "socket") this.#attempt(phase.wish);
    if (phase.kind === "seated") this.#resumeSeat(phase, seats);
    if (this.#owesLeave) this.#do({ kind: "requestLeave" });
    this.#owesLeave = false;
  }

  #resumeSeat(phase: Seated, seats: readonly Pick<Offer, "channelId" | "participantId">[]): void {
    const isKept = seats.some(
      (seat) =>
        seat.channelId === phase.wish.channelId && seat.participantId === phase.participantId,
    );
    if (!isKept) {
      this.#dropAttempt();
      this.#attempt(phase.wish);
      return;
    }
    if (phase.negotiation.step === "sending") this.#sendAnswer(phase.attempt, phase.negotiation);
    this.#tell();
  }

  #timeOut(timer: "retry" | "media"): void {
    const phase = this.#phase;
    if (timer === "retry" && phase.kind === "waiting" && phase.until === "retry") {
      this.#attempt(phase.wish);
    }
    if (timer === "media" && phase.kind === "seated" && phase.media !== "connected") {
      this.#retry(phase.wish, { kind: "mediaUnreachable" });
    }
  }

  /** Gives up the present attempt and makes another one later, unless there were enough. */
  #retry(wish: Wish, cause: CallFailure, atLeastMs = 0): void {
    const tries = wish.tries + 1;
    if (tries >= (wish.wasConnected ? LATER_TRIES : FIRST_TRIES)) {
      this.#fail(cause);
      return;
    }
    this.#dropAttempt();
    const until = this.#socketUp ? "retry" : "socket";
    this.#phase = { kind: "waiting", wish: { ...wish, tries }, until, cause };
    if (until === "retry") {
      const afterMs = backoffMs(wish.tries, this.random(), atLeastMs);
      this.#do({ kind: "startTimer", timer: "retry", afterMs });
    }
  }

  #fail(failure: CallFailure): void {
    const phase = this.#phase;
    if (!("wish" in phase)) return;
    const holdsSeat = phase.kind === "seated" && failure.kind !== "channelDeleted";
    this.#stop({ kind: "failed", channelId: phase.wish.channelId, failure });
    // A seat that nobody uses would show this person as present.
    if (holdsSeat && failure.kind !== "replaced" && this.#socketUp) {
      this.#do({ kind: "requestLeave" });
    }
  }

  /** Ends the call on this side. */
  #stop(phase: Extract<CallPhase, { kind: "idle" | "failed" }>): void {
    const before = this.#phase;
    this.#dropAttempt();
    if ("wish" in before && !before.wish.listenOnly) this.#do({ kind: "releaseMicrophone" });
    this.#do({ kind: "stopAudio" });
    this.#phase = phase;
    this.#told = undefined;
  }

  /** Takes back what the present attempt holds: its peer and its timers. */
  #dropAttempt(): void {
    const phase = this.#phase;
    if (phase.kind === "joining" || phase.kind === "seated") {
      this.#do({ kind: "closePeer", attempt: phase.attempt });
    }
    if (phase.kind === "seated" && phase.media !== "connected") {
      this.#do({ kind: "stopTimer", timer: "media" });
    }
    if (phase.kind === "waiting" && phase.until === "retry") {
      this.#do({ kind: "stopTimer", timer: "retry" });
    }
  }

  #want(wanted: VoiceFlags): void {
    this.#wanted = wanted;
    this.#do({ kind: "applyFlags", flags: this.#flags() });
    this.#tell();
  }

  /** Tells the server what others should see, if it does not know that yet. */
  #tell(): void {
    if (this.#phase.kind !== "seated" || !this.#socketUp) return;
    const flags = this.#flags();
    if (this.#told?.muted === flags.muted && this.#told.deafened === flags.deafened) return;
    this.#told = flags;
    this.#do({ kind: "sendFlags", attempt: this.#phase.attempt, flags });
  }

  #flags(): VoiceFlags {
    const { muted, deafened } = this.#wanted;
    return { muted: muted || deafened || !this.#microphone, deafened };
  }
}

function revisionOf(negotiation: Negotiation): number {
  return negotiation.step === "stable" ? negotiation.revision : negotiation.offer.revision;
}

function newest(known: Offer | undefined, found: Offer): Offer {
  if (known === undefined || known.participantId !== found.participantId) return found;
  return found.revision > known.revision ? found : known;
}

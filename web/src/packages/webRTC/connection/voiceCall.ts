// One server's call on this device: performs the machine's effects and tells what to show.
// It holds no rule of a call itself; those are in `call.ts`.

import { type Microphone, microphonePresence, type Playback } from "#audio";
import { log } from "#log";
import { memberKey, settings } from "#settings";
import type { ConnectionNotice, VoiceError, VoicePhase } from "#socket";
import { performRequest, readNotice, type VoiceLink } from "../signaling/voiceSignals.ts";
import { Call } from "./call.ts";
import type { CallEffect, CallEvent, Timer } from "./callTypes.ts";
import { flagsElsewhere } from "./elsewhere.ts";
import { explainFailure, explainMicrophone } from "./explain.ts";
import { Overheard } from "./overheard.ts";
import { Peer } from "./peer.ts";
import { startPulse } from "./pulse.ts";
import { latest, Slots, type Volumes } from "./slots.ts";
import { type ConnectionDetails, readStats, type StatsSample } from "./stats.ts";

/** What the interface shows of a call. A new object after each change. */
export type VoiceSnapshot = {
  readonly state: VoicePhase;
  readonly channelId: string | undefined;
  readonly participantId: number | undefined;
  readonly error: VoiceError | undefined;
  readonly listenOnly: boolean;
  readonly muted: boolean;
  readonly deafened: boolean;
  readonly speaking: ReadonlySet<number>;
};

type Attempt = { readonly number: number; readonly peer: Peer; readonly stopPulse: () => void };

/** Owns the peer, the playback and the timers of a call. */
export class VoiceCall {
  readonly #link: VoiceLink;
  readonly #microphone: Microphone;
  readonly #playback: Playback;
  readonly #call: Call;
  readonly #slots = new Slots();
  readonly #overheard = new Overheard();
  readonly #timers = new Map<Timer, ReturnType<typeof setTimeout>>();
  readonly #listeners = new Set<() => void>();
  readonly #queue: CallEvent[] = [];
  #busy = false;
  #attempt: Attempt | undefined;
  #endMicrophone: (() => void) | undefined;
  #speaking: ReadonlySet<number> = new Set();
  #snapshot: VoiceSnapshot;
  #sample: StatsSample | undefined;

  constructor(link: VoiceLink, microphone: Microphone, playback: Playback) {
    this.#link = link;
    this.#microphone = microphone;
    this.#playback = playback;
    this.#call = new Call(link.phase().kind === "connected", Math.random);
    this.#snapshot = this.#show();
    link.subscribe((notice) => this.#hear(notice));
    settings.subscribe(() => this.#configure());
    this.#configure();
    microphonePresence.start();
    microphone.prepare();
  }

  snapshot = (): VoiceSnapshot => this.#snapshot;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Joins with the microphone, or to listen where there is none. */
  join = (channelId: string): void => {
    performance.mark("gryt:join");
    // Joining where one already is means: try the microphone again.
    if (this.#microphone.state().status === "failed") this.#microphone.retry();
    const { me, participants } = this.#link.state();
    const flags = flagsElsewhere(participants, me?.memberId);
    if (flags !== undefined) this.feed({ kind: "elsewhere", flags });
    this.feed({ kind: "join", channelId, listenOnly: !microphonePresence.isUsable() });
  };

  /** Takes an event and does all that follows from it. */
  feed(event: CallEvent): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        for (const effect of this.#call.handle(next)) this.#perform(effect);
      }
    } finally {
      this.#busy = false;
    }
    this.#change();
  }

  /** What the connection is like at the moment; undefined without one. */
  async details(): Promise<ConnectionDetails | undefined> {
    const peer = this.#attempt?.peer;
    if (peer === undefined) return undefined;
    const { details, sample } = readStats(await peer.stats(), this.#sample, performance.now());
    this.#sample = sample;
    return details;
  }

  #perform(effect: CallEffect): void {
    switch (effect.kind) {
      case "startAudio":
        this.#playback.start();
        break;
      case "stopAudio":
        this.#playback.stop();
        break;
      case "acquireMicrophone":
        this.#acquireMicrophone();
        break;
      case "releaseMicrophone":
        this.#endMicrophone?.();
        this.#endMicrophone = undefined;
        this.#send();
        break;
      case "openPeer":
        this.#openPeer(effect.attempt);
        break;
      case "closePeer":
        this.#closePeer();
        break;
      case "requestJoin":
      case "requestLeave":
      case "sendAnswer":
      case "sendFlags":
        this.#request(effect);
        break;
      case "answer":
        this.#answer(effect);
        break;
      case "applyFlags":
        this.#microphone.setMuted(effect.flags.muted);
        this.#playback.setDeafened(effect.flags.deafened);
        break;
      case "startTimer": {
        const { timer, afterMs } = effect;
        const fire = () => this.feed({ kind: "timeout", timer });
        this.#timers.set(timer, setTimeout(fire, afterMs));
        break;
      }
      case "stopTimer":
        clearTimeout(this.#timers.get(effect.timer));
        this.#timers.delete(effect.timer);
        break;
    }
  }

  #acquireMicrophone(): void {
    const release = this.#microphone.acquire();
    const follow = () => {
      this.#send();
      const { status } = this.#microphone.state();
      if (status === "live") this.feed({ kind: "microphone", available: true });
      if (status === "failed") this.feed({ kind: "microphone", available: false });
    };
    const stop = this.#microphone.subscribe(follow);
    this.#endMicrophone = () => {
      stop();
      release();
    };
    follow();
  }

  #openPeer(number: number): void {
    performance.mark("gryt:peer");
    const peer = new Peer({
      connected: () => {
        performance.mark("gryt:connected");
        this.feed({ kind: "mediaConnected", attempt: number });
      },
      interrupted: () => this.feed({ kind: "mediaInterrupted", attempt: number }),
      failed: () => this.feed({ kind: "mediaFailed", attempt: number }),
      slot: (mid, track) => this.#playback.addSlot(mid, track),
    });
    this.#slots.clear();
    this.#overheard.clear();
    this.#sample = undefined;
    this.#attempt = { number, peer, stopPulse: startPulse(() => this.#follow(peer)) };
    this.#send();
  }

  #closePeer(): void {
    const { peer, stopPulse } = this.#attempt ?? {};
    stopPulse?.();
    for (const { mid } of peer?.slots ?? []) this.#playback.removeSlot(mid);
    peer?.close();
    this.#attempt = undefined;
    this.#speaking = new Set();
  }

  /** Gives the peer what the microphone sends, which is nothing when joined to listen. */
  #send(): void {
    const track = this.#endMicrophone === undefined ? undefined : this.#microphone.track();
    this.#attempt?.peer.send(track).catch((error: unknown) => {
      log.warn("microphone could not be attached", { error });
    });
  }

  #request(effect: Parameters<typeof performRequest>[1]): void {
    performRequest(this.#link, effect)
      .then((event) => {
        if (event !== undefined) this.feed(event);
      })
      .catch((error: unknown) => log.error("voice request broke", { error }));
  }

  #answer({ attempt, offer }: Extract<CallEffect, { kind: "answer" }>): void {
    performance.mark("gryt:offer");
    const { revision } = offer;
    const current = this.#attempt;
    if (current?.number !== attempt) return;
    current.peer
      .answer(offer.sdp)
      .then((sdp) => this.feed({ kind: "answerMade", attempt, revision, sdp }))
      .catch((error: unknown) => {
        log.warn("offer could not be answered", { revision, error });
        this.feed({ kind: "answerFailed", attempt, revision });
      });
  }

  /** Gives each slot its speaker's volume, and learns who speaks already. */
  #follow(peer: Peer): void {
    const volumes = this.#volumes();
    for (const { mid, receiver } of peer.slots) {
      const carried = latest(receiver.getContributingSources());
      this.#playback.setSlotGain(mid, this.#slots.gain(mid, carried, volumes));
      const found = carried && this.#overheard.look(carried);
      if (found !== undefined) this.#markSpeaking(found, true);
    }
  }

  #volumes(): Volumes {
    const { memberVolumes } = settings.read();
    const { channelId } = this.#snapshot;
    const volumes = new Map<number, number>();
    for (const participant of this.#link.state().participants) {
      if (participant.channelId !== channelId) continue;
      const volume = memberVolumes[memberKey(this.#link.address, participant.memberId)] ?? 1;
      volumes.set(participant.participantId, volume);
    }
    return volumes;
  }

  #configure(): void {
    const { audio } = settings.read();
    this.#microphone.configure(audio);
    this.#playback.setVolume(audio.outputVolume);
    this.#playback.setOutputDevice(audio.outputDeviceId);
  }

  #hear(notice: ConnectionNotice): void {
    if (notice.kind === "welcome") {
      this.#speaking = new Set();
      // Nothing tells of those who spoke already: their media does.
      this.#overheard.clear();
    }
    const event = readNotice(notice);
    if (event !== undefined) this.feed(event);
    // Who signed out is gone; everything else is for the machine to outlast.
    if (notice.kind === "phase" && notice.phase.kind === "signedOut") this.feed({ kind: "leave" });
    if (notice.kind === "event") this.#hearSpeaking(notice);
  }

  #hearSpeaking({ event: { event } }: Extract<ConnectionNotice, { kind: "event" }>): void {
    if (event.case !== "speakingChanged" && event.case !== "participantLeft") return;
    const { channelId, participantId } = event.value;
    if (channelId !== this.#snapshot.channelId) return;
    this.#overheard.tell(participantId);
    this.#markSpeaking(participantId, event.case === "speakingChanged" && event.value.speaking);
  }

  #markSpeaking(participantId: number, speaking: boolean): void {
    if (this.#speaking.has(participantId) === speaking) return;
    const next = new Set(this.#speaking);
    if (speaking) next.add(participantId);
    else next.delete(participantId);
    this.#speaking = next;
    this.#change();
  }

  #change(): void {
    this.#snapshot = this.#show();
    for (const listener of [...this.#listeners]) listener();
  }

  #show(): VoiceSnapshot {
    const { failure, ...view } = this.#call.view();
    const microphone = this.#microphone.state();
    const isMissed = this.#endMicrophone !== undefined && microphone.status === "failed";
    let error: VoiceError | undefined;
    if (failure !== undefined) error = explainFailure(failure);
    else if (isMissed) error = explainMicrophone(microphone.problem);
    return { ...view, error, speaking: this.#speaking };
  }
}

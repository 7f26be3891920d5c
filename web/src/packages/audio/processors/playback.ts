// What is heard: every slot's track > its gain > volume > deafen > output device.

import { clamp } from "./decibels.ts";
import { Output } from "./output.ts";
import { rampTo } from "./ramp.ts";
import { type VoiceContext, voiceContext } from "./voiceContext.ts";

/** Twice the amplitude, +6 dB. */
const MAX_GAIN = 2;

type Slot = {
  readonly source: MediaStreamAudioSourceNode;
  readonly gain: GainNode;
  readonly element: HTMLAudioElement;
  value: number;
};

type Graph = {
  readonly context: AudioContext;
  readonly volume: GainNode;
  readonly output: Output;
  readonly release: () => void;
};

/** The playback graph of one call. Slots start silent: who speaks has to be known first. */
export class Playback {
  readonly #voice: VoiceContext;
  readonly #slots = new Map<string, Slot>();
  #graph: Graph | undefined;
  #volume = 1;
  #deafened = false;
  #deviceId = "";

  constructor(voice: VoiceContext = voiceContext) {
    this.#voice = voice;
  }

  /** Wakes the sound. Called in the click that joins, which is the gesture that browsers ask for. */
  start(): void {
    if (this.#graph !== undefined) return;
    const held = this.#voice.acquire();
    if (held === undefined) return;
    const { context, release } = held;
    const volume = new GainNode(context, { gain: this.#target() });
    this.#graph = { context, volume, output: new Output(context, volume), release };
    this.#choose();
    // A chosen device that goes away is left for the system's, and used again when it is back.
    navigator.mediaDevices?.addEventListener("devicechange", this.#choose);
  }

  stop(): void {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#choose);
    for (const mid of [...this.#slots.keys()]) this.removeSlot(mid);
    this.#graph?.output.close();
    this.#graph?.release();
    this.#graph = undefined;
  }

  /** Feeds a slot's track into the graph, silent until `setSlotGain`. */
  addSlot(mid: string, track: MediaStreamTrack): void {
    this.removeSlot(mid);
    if (this.#graph === undefined) return;
    const { context, volume } = this.#graph;
    const stream = new MediaStream([track]);
    // Chromium delivers a remote track to Web Audio only while a media element plays it, too
    // (crbug.com/40094084). Muted, it makes no sound of its own.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play().catch(() => undefined);
    const source = context.createMediaStreamSource(stream);
    const gain = new GainNode(context, { gain: 0 });
    source.connect(gain).connect(volume);
    this.#slots.set(mid, { source, gain, element, value: 0 });
  }

  removeSlot(mid: string): void {
    const slot = this.#slots.get(mid);
    if (slot === undefined) return;
    slot.source.disconnect();
    slot.gain.disconnect();
    slot.element.pause();
    slot.element.srcObject = null;
    this.#slots.delete(mid);
  }

  /** Moves a slot to `gain` (0..=2) by a short ramp. */
  setSlotGain(mid: string, gain: number): void {
    const slot = this.#slots.get(mid);
    const value = clamp(gain, 0, MAX_GAIN);
    if (slot === undefined || slot.value === value || this.#graph === undefined) return;
    slot.value = value;
    rampTo(slot.gain.gain, value, this.#graph.context.currentTime);
  }

  /** Sets the volume of everything, 0..=2. */
  setVolume(volume: number): void {
    this.#volume = volume;
    this.#apply();
  }

  setDeafened(deafened: boolean): void {
    this.#deafened = deafened;
    this.#apply();
  }

  /** Moves the sound to another device; the empty id is the system's choice. */
  setOutputDevice(deviceId: string): void {
    if (deviceId === this.#deviceId) return;
    this.#deviceId = deviceId;
    this.#choose();
  }

  readonly #choose = (): void => {
    this.#graph?.output.choose(this.#deviceId).catch(() => undefined);
  };

  #target(): number {
    return this.#deafened ? 0 : clamp(this.#volume, 0, MAX_GAIN);
  }

  #apply(): void {
    if (this.#graph === undefined) return;
    rampTo(this.#graph.volume.gain, this.#target(), this.#graph.context.currentTime);
  }
}

// The noise gate's maths: lets sound above a threshold pass and fades the rest out. Knows no Web Audio.

import { clamp, fromDecibels, SILENCE_DB, toDecibels } from "./decibels.ts";
import { meanSquare } from "./meter.ts";

/** How a gate behaves. Times in milliseconds. */
export type GateSettings = {
  /** RMS in dBFS that opens the gate. `SILENCE_DB` or less keeps it open. */
  readonly thresholdDb: number;
  /** From closed to open. */
  readonly attackMs: number;
  /** How long it stays open after the last sound above the threshold. */
  readonly holdMs: number;
  /** From open to closed. */
  readonly releaseMs: number;
};

/** Fits speech: opens within a consonant, stays open over the gaps between words. */
export const SPEECH_GATE: GateSettings = {
  thresholdDb: -55,
  attackMs: 4,
  holdMs: 250,
  releaseMs: 120,
};

/** The gate closes this much below the level that opens it, so that it does not chatter. */
const HYSTERESIS_DB = 4;

// A block of 128 samples holds a fifth of the wave of a low voice: between two crests its level
// falls under every threshold, and the hold has to bridge at least that.
const SHORTEST_HOLD_MS = 15;

/** Of the reported level only: the gate itself judges each block alone, to open without delay. */
const SMOOTHING_MS = 10;

/** A noise gate over one channel, fed block by block. */
export class NoiseGate {
  #settings: GateSettings = SPEECH_GATE;
  #openPower = 0;
  #closePower = 0;
  #gain = 0;
  #holdLeftMs = 0;
  #power = 0;

  constructor(
    settings: GateSettings,
    private readonly sampleRate: number,
  ) {
    this.configure(settings);
  }

  /** Takes other settings; the gain moves on from where it is. */
  configure(settings: GateSettings): void {
    this.#settings = settings;
    this.#openPower = fromDecibels(settings.thresholdDb) ** 2;
    this.#closePower = fromDecibels(settings.thresholdDb - HYSTERESIS_DB) ** 2;
  }

  /** Whether sound passes or is about to. */
  get isOpen(): boolean {
    return this.#holdLeftMs > 0 || this.#alwaysOpen;
  }

  /** Smoothed level of the input, in dBFS RMS. */
  get inputDb(): number {
    return toDecibels(Math.sqrt(this.#power));
  }

  /** Writes the gated `input` to `output`, which is as long and may be the same array. */
  process(input: Float32Array, output: Float32Array): void {
    const blockMs = (input.length / this.sampleRate) * 1000;
    this.#listen(meanSquare(input), blockMs);
    const target = this.isOpen ? 1 : 0;
    const rampMs = target === 1 ? this.#settings.attackMs : this.#settings.releaseMs;
    const step = 1000 / (Math.max(rampMs, 0.1) * this.sampleRate);
    for (let index = 0; index < input.length; index += 1) {
      this.#gain = clamp(this.#gain + (target === 1 ? step : -step), 0, 1);
      output[index] = (input[index] ?? 0) * this.#gain;
    }
  }

  get #alwaysOpen(): boolean {
    return this.#settings.thresholdDb <= SILENCE_DB;
  }

  #listen(blockPower: number, blockMs: number): void {
    // One NaN from a broken device would otherwise stay in the smoothed power for ever.
    const power = Number.isFinite(blockPower) ? blockPower : 0;
    this.#power += (power - this.#power) * (1 - Math.exp(-blockMs / SMOOTHING_MS));
    const loud = power >= (this.#holdLeftMs > 0 ? this.#closePower : this.#openPower);
    this.#holdLeftMs = loud
      ? Math.max(this.#settings.holdMs, SHORTEST_HOLD_MS)
      : Math.max(0, this.#holdLeftMs - blockMs);
  }
}

import { describe, expect, test } from "vitest";
import { fromDecibels, SILENCE_DB, toDecibels } from "./decibels.ts";
import { type GateSettings, NoiseGate } from "./gate.ts";
import { peak } from "./meter.ts";
import { sine } from "./sine.test-support.ts";

const RATE = 48_000;
const BLOCK = 128;
const BLOCK_MS = (BLOCK / RATE) * 1000;
const SETTINGS: GateSettings = { thresholdDb: -40, attackMs: 5, holdMs: 100, releaseMs: 50 };

/** Plays a tone of `rmsDb` for `ms` through the gate and returns the peak of each output block. */
function play(gate: NoiseGate, rmsDb: number, ms: number, hz = 1000): number[] {
  const amplitude = fromDecibels(rmsDb) * Math.SQRT2;
  return Array.from({ length: Math.round(ms / BLOCK_MS) }, (_, block) => {
    const samples = sine({ hz, amplitude, samples: BLOCK, from: block * BLOCK });
    gate.process(samples, samples);
    return peak(samples);
  });
}

function last(peaks: readonly number[]): number {
  return peaks.at(-1) ?? Number.NaN;
}

describe("noise gate", () => {
  test("starts closed and stays closed below the threshold", () => {
    const gate = new NoiseGate(SETTINGS, RATE);
    expect(Math.max(...play(gate, -42, 500))).toBe(0);
    expect(gate.isOpen).toBe(false);
  });

  test("passes a tone above the threshold unchanged once the attack is over", () => {
    const gate = new NoiseGate(SETTINGS, RATE);
    play(gate, -20, 10);
    expect(toDecibels(last(play(gate, -20, 100)))).toBeCloseTo(-17, 0);
    expect(gate.isOpen).toBe(true);
  });

  test("opens within the attack time", () => {
    const gate = new NoiseGate(SETTINGS, RATE);
    const peaks = play(gate, -10, 20);
    const full = fromDecibels(-10) * Math.SQRT2;
    const opened = peaks.findIndex((value) => value > full * 0.98) * BLOCK_MS;
    expect(opened).toBeGreaterThan(2);
    expect(opened).toBeLessThanOrEqual(SETTINGS.attackMs + BLOCK_MS);
  });

  test("holds over a gap between words, then fades out over the release", () => {
    const gate = new NoiseGate(SETTINGS, RATE);
    play(gate, -10, 50);
    play(gate, -80, 90);
    expect(gate.isOpen).toBe(true);
    play(gate, -80, 100);
    expect(gate.isOpen).toBe(false);
    play(gate, -80, 60);
    expect(last(play(gate, -80, 10))).toBe(0);
  });

  test("the release is a ramp, not a step", () => {
    const gate = new NoiseGate({ ...SETTINGS, holdMs: 0 }, RATE);
    play(gate, -10, 50);
    const quiet = fromDecibels(-46) * Math.SQRT2;
    const peaks = play(gate, -46, 80).map((value) => value / quiet);
    const steps = peaks.slice(1).map((value, index) => (peaks[index] ?? 0) - value);
    expect(Math.max(...steps)).toBeLessThan(0.12);
    expect(last(peaks)).toBe(0);
  });

  test("does not chatter on a level between the closing and the opening threshold", () => {
    const gate = new NoiseGate(SETTINGS, RATE);
    play(gate, -35, 50);
    expect(Math.min(...play(gate, -42, 1000))).toBeGreaterThan(0);
    expect(gate.isOpen).toBe(true);
  });

  test("an 80 Hz voice keeps it open although a block holds a fifth of its wave", () => {
    const gate = new NoiseGate({ ...SETTINGS, holdMs: 5 }, RATE);
    play(gate, -30, 100, 80);
    const opens = Array.from({ length: 200 }, () => {
      play(gate, -30, BLOCK_MS, 80);
      return gate.isOpen;
    });
    expect(opens.filter((open) => !open)).toHaveLength(0);
  });

  test("a threshold of silence means always open", () => {
    const gate = new NoiseGate({ ...SETTINGS, thresholdDb: SILENCE_DB }, RATE);
    play(gate, -90, 20);
    expect(last(play(gate, -90, 20))).toBeGreaterThan(0);
  });

  test("other settings apply from the next block", () => {
    const gate = new NoiseGate(SETTINGS, RATE);
    play(gate, -30, 50);
    gate.configure({ ...SETTINGS, thresholdDb: -20 });
    play(gate, -30, 300);
    expect(gate.isOpen).toBe(false);
  });

  test("broken samples do not stop it for ever", () => {
    const gate = new NoiseGate(SETTINGS, RATE);
    gate.process(new Float32Array(BLOCK).fill(Number.NaN), new Float32Array(BLOCK));
    play(gate, -10, 50);
    expect(gate.inputDb).toBeCloseTo(-10, 0);
    expect(gate.isOpen).toBe(true);
  });
});

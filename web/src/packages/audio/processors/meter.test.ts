import { describe, expect, test } from "vitest";
import { clamp, fromDecibels, SILENCE_DB, toDecibels } from "./decibels.ts";
import { fall, measure, meterFraction, ringStrength, SILENT } from "./meter.ts";
import { sine } from "./sine.test-support.ts";

describe("decibels", () => {
  test.each([
    [1, 0],
    [0.5, -6.0206],
    [0.1, -20],
    [0, SILENCE_DB],
    [-1, SILENCE_DB],
    [Number.NaN, SILENCE_DB],
    [1e-30, SILENCE_DB],
  ])("amplitude %d is %d dBFS", (amplitude, decibels) => {
    expect(toDecibels(amplitude)).toBeCloseTo(decibels, 3);
  });

  test("going there and back keeps the amplitude", () => {
    for (const amplitude of [1, 0.3, 0.01, 0.0002]) {
      expect(fromDecibels(toDecibels(amplitude))).toBeCloseTo(amplitude, 9);
    }
    expect(fromDecibels(SILENCE_DB)).toBe(0);
  });

  test("clamp turns what is not a number into the lower bound", () => {
    expect(clamp(Number.NaN, 0, 1)).toBe(0);
    expect(clamp(5, 0, 1)).toBe(1);
  });
});

describe("meter", () => {
  test("a full-scale sine has 0 dBFS peak and -3 dBFS RMS", () => {
    const level = measure(sine({ hz: 1000, amplitude: 1, samples: 4800 }));
    expect(level.peakDb).toBeCloseTo(0, 1);
    expect(level.rmsDb).toBeCloseTo(-3.01, 1);
  });

  test("an empty or silent block is silence", () => {
    expect(measure(new Float32Array(0))).toEqual(SILENT);
    expect(measure(new Float32Array(128))).toEqual(SILENT);
  });

  test("the shown level rises at once and falls at 30 dB a second", () => {
    expect(fall(-60, -10, 16)).toBe(-10);
    expect(fall(-10, -60, 100)).toBeCloseTo(-13);
    expect(fall(-10, -11, 1000)).toBe(-11);
    expect(fall(-99, SILENCE_DB, 10_000)).toBe(SILENCE_DB);
  });

  test.each([
    [-60, 0],
    [-30, 0.5],
    [0, 1],
    [6, 1],
    [SILENCE_DB, 0],
  ])("%d dBFS stands at %d of the meter", (db, fraction) => {
    expect(meterFraction(db)).toBeCloseTo(fraction);
  });

  test("the ring is off at -55 dBFS and full at -12 dBFS", () => {
    expect(ringStrength(-55)).toBe(0);
    expect(ringStrength(-33.5)).toBeCloseTo(0.5);
    expect(ringStrength(-12)).toBe(1);
    expect(ringStrength(0)).toBe(1);
  });
});

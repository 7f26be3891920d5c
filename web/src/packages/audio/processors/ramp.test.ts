import { describe, expect, test } from "vitest";
import { toDecibels } from "./decibels.ts";
import { gainAt, RAMP_MS, rampTo, timeConstant } from "./ramp.ts";

describe("ramp", () => {
  test("starts where the gain is and is over after its duration", () => {
    const ramp = { from: 1, to: 0, durationMs: RAMP_MS };
    expect(gainAt(ramp, 0)).toBe(1);
    expect(toDecibels(gainAt(ramp, RAMP_MS))).toBeLessThan(-43);
    expect(toDecibels(gainAt(ramp, 3 * RAMP_MS))).toBeLessThan(-99);
  });

  test("rises the way it falls", () => {
    expect(gainAt({ from: 0, to: 2, durationMs: 20 }, 20)).toBeCloseTo(2, 1);
  });

  test("replaces what was scheduled", () => {
    const calls: unknown[] = [];
    const param = {
      cancelScheduledValues: (at: number) => calls.push(["cancel", at]),
      setTargetAtTime: (value: number, at: number, constant: number) =>
        calls.push(["target", value, at, constant]),
    };
    rampTo(param as never, 0.5, 2, 20);
    expect(calls).toEqual([
      ["cancel", 2],
      ["target", 0.5, 2, timeConstant(20)],
    ]);
  });

  test("never divides by a duration of zero", () => {
    expect(timeConstant(0)).toBeGreaterThan(0);
    expect(timeConstant(-5)).toBeGreaterThan(0);
  });
});

import { describe, expect, test } from "vitest";
import { latest, Slots } from "./slots.ts";

const volumes = new Map([
  [7, 1],
  [8, 0.5],
]);

describe("slots", () => {
  test("the latest of several sources owns the slot", () => {
    const sources = [
      { source: 7, timestamp: 100 },
      { source: 8, timestamp: 120 },
      { source: 9, timestamp: 90 },
    ];
    expect(latest(sources)?.source).toBe(8);
    expect(latest([])).toBeUndefined();
  });

  test("a slot has its owner's volume", () => {
    expect(new Slots().gain("a0", { source: 8, timestamp: 1 }, volumes)).toBe(0.5);
  });

  test("a slot without an owner and one with an unknown owner are silent", () => {
    const slots = new Slots();
    expect(slots.gain("a0", undefined, volumes)).toBe(0);
    expect(slots.gain("a0", { source: 99, timestamp: 1 }, volumes)).toBe(0);
  });

  test("a pause in speaking keeps the owner", () => {
    const slots = new Slots();
    slots.gain("a0", { source: 8, timestamp: 1 }, volumes);
    expect(slots.gain("a0", undefined, volumes)).toBe(0.5);
    expect(slots.gain("a1", undefined, volumes)).toBe(0);
  });

  test("an owner who left is silent, and so is everyone after a clear", () => {
    const slots = new Slots();
    slots.gain("a0", { source: 8, timestamp: 1 }, volumes);
    expect(slots.gain("a0", undefined, new Map([[7, 1]]))).toBe(0);
    slots.clear();
    expect(slots.gain("a0", undefined, volumes)).toBe(0);
  });
});

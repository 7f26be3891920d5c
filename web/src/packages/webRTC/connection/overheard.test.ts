import { describe, expect, test } from "vitest";
import { Overheard } from "./overheard.ts";

/** Looks at a source whose packets carry these times; returns who was found. */
function look(
  overheard: Overheard,
  source: number,
  ...timestamps: number[]
): (number | undefined)[] {
  return timestamps
    .map((timestamp) => overheard.look({ source, timestamp }))
    .filter((found) => found !== undefined);
}

describe("overheard", () => {
  test("a voice that goes on is found, once", () => {
    expect(look(new Overheard(), 7, 10, 70, 130, 190, 250, 310, 370)).toEqual([7]);
  });

  test("a voice that has ended is not found", () => {
    expect(look(new Overheard(), 7, 10, 70, 130, 130, 130, 130, 130, 130)).toEqual([]);
  });

  test("events have the last word", () => {
    const overheard = new Overheard();
    overheard.tell(7);
    expect(look(overheard, 7, 10, 70, 130, 190, 250, 310)).toEqual([]);
    overheard.clear();
    expect(look(overheard, 7, 10, 70, 130, 190, 250, 310)).toEqual([7]);
  });
});

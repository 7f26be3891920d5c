import { expect, test } from "vitest";
import { endsIn, usesLeft } from "./inviteWords.ts";

test.each([
  [1, 0, "For 1 person"],
  [5, 0, "For 5 people"],
  [5, 2, "For 3 of 5 people"],
  [5, 4, "For 1 of 5 people"],
])("an invite of %i that %i used", (maxUses, uses, text) => {
  expect(usesLeft({ maxUses, uses })).toBe(text);
});

const minute = 60_000;
test.each([
  [7 * 24 * 60 * minute, "Ends in 7 days"],
  [7 * 24 * 60 * minute - 2_000, "Ends in 7 days"],
  [23 * 60 * minute, "Ends in 23 hours"],
  [90 * minute, "Ends in 2 hours"],
  [5 * minute, "Ends in 5 minutes"],
  [10_000, "Ends in 1 minute"],
  [-5, "Ends in 1 minute"],
])("an end in %i ms", (leftMs, text) => {
  const now = 1_700_000_000_000;
  expect(endsIn({ expiresAtMs: BigInt(now + leftMs) }, now)).toBe(text);
});

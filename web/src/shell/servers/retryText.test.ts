import { expect, test } from "vitest";
import { retryText } from "./retryText.ts";

test.each([
  [5_000, "Trying again in 5 s."],
  [4_001, "Trying again in 5 s."],
  [1, "Trying again in 1 s."],
  [0, "Trying now…"],
  [-3_000, "Trying now…"],
])("%i ms before the attempt it says %s", (left, text) => {
  expect(retryText(10_000 + left, 10_000)).toBe(text);
});

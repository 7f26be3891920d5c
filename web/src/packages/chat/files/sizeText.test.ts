import { expect, test } from "vitest";
import { sizeText } from "./sizeText.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1 KB"],
  [1_449, "1.4 KB"],
  [123_456, "123 KB"],
  [5_000_000_000, "5 GB"],
])("%d bytes are %s", (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

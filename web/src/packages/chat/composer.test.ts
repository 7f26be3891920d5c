import { expect, test } from "vitest";
import { charactersLeft, draftOf, judgeDraft, keepDraft, leftText } from "./composer.ts";

test("only blanks are nothing to send", () => {
  expect(judgeDraft(" \n ")).toEqual({ kind: "empty" });
});

test("what is sent is trimmed", () => {
  expect(judgeDraft("  hi\n")).toEqual({ kind: "fits", text: "hi" });
});

test("characters are counted as people see them, not as UTF-16 units", () => {
  expect(judgeDraft("😀".repeat(4_000))).toMatchObject({ kind: "fits" });
  expect(judgeDraft("😀".repeat(4_001))).toEqual({ kind: "tooLong", by: 1 });
});

test("the rest is counted near the end only", () => {
  expect(charactersLeft("a".repeat(3_499))).toBeUndefined();
  expect(charactersLeft("a".repeat(3_990))).toBe(10);
  expect(charactersLeft("a".repeat(4_007))).toBe(-7);
});

test("too many characters are called that", () => {
  expect(leftText(0)).toBe("0");
  expect(leftText(-1)).toBe("1 character too many");
  expect(leftText(-1_000)).toBe("1000 characters too many");
});

test("a draft is kept for its channel until it is sent", () => {
  keepDraft("s c", "half a thought");
  expect(draftOf("s c")).toBe("half a thought");
  expect(draftOf("s d")).toBe("");
  keepDraft("s c", "");
  expect(draftOf("s c")).toBe("");
});

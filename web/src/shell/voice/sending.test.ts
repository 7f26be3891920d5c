import { expect, test } from "vitest";
import { isSending } from "./sending.ts";

const open = { muted: false, deafened: false, listenOnly: false };

test("an open microphone sends", () => {
  expect(isSending(open, false)).toBe(true);
});

test("who is muted by a moderator sends nothing, whatever the own button says", () => {
  expect(isSending(open, true)).toBe(false);
});

test.each(["muted", "deafened", "listenOnly"] as const)("who is %s sends nothing", (silence) => {
  expect(isSending({ ...open, [silence]: true }, false)).toBe(false);
});

import { expect, test } from "vitest";
import { avatarColor, initials } from "./avatarLook.ts";

test.each([
  ["Ada Lovelace", "AL"],
  ["ada", "A"],
  ["Ada de la Torre", "AT"],
  ["😀 party", "😀P"],
  ["  ", "?"],
])("%j has the initials %s", (name, expected) => {
  expect(initials(name)).toBe(expected);
});

test("the color belongs to the id", () => {
  expect(avatarColor("abc")).toBe(avatarColor("abc"));
});

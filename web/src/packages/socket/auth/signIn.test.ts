import { expect, test } from "vitest";
import { authorityOf, isSignOutOf, returningTo } from "./signIn.ts";

const kept = new Map([
  ["gryt.oidc.https://a.example.s1", '{"authority":"https://id.example.org/realms/a"}'],
]);
const storage = { getItem: (key: string) => kept.get(key) ?? null };
const addresses = ["https://b.example", "https://a.example"];

test.each([
  ["?state=s1&code=c", "https://a.example"],
  ["?state=s2&code=c", undefined],
  ["?code=c", undefined],
])("%s belongs to %s", (search, address) => {
  expect(returningTo(addresses, search, storage)).toBe(address);
});

test.each([
  ['{"authority":"https://id.example.org/realms/a"}', "https://id.example.org/realms/a"],
  ['{"authority":7}', undefined],
  ["no JSON", undefined],
  ["null", undefined],
  [null, undefined],
])("%s was begun at %s", (text, authority) => {
  expect(authorityOf(text)).toBe(authority);
});

test.each([
  ["gryt.oidc.https://a.example.user:https://id.example.org:gryt-web", null, true],
  ["gryt.oidc.https://a.example.user:https://id.example.org:gryt-web", "{}", false],
  ["gryt.oidc.https://a.example.s1", null, false],
  ["gryt.oidc.https://b.example.user:https://id.example.org:gryt-web", null, false],
  [null, null, false],
])("%s becoming %s is a sign-out: %s", (key, newValue, expected) => {
  expect(isSignOutOf("https://a.example", { key, newValue })).toBe(expected);
});

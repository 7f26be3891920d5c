import { expect, test } from "vitest";
import { parseAddress } from "./address.ts";

test.each([
  ["chat.example.org", "https://chat.example.org"],
  [" https://Chat.Example.org/some/path ", "https://chat.example.org"],
  ["localhost:8080", "http://localhost:8080"],
  ["127.0.0.1:9000/", "http://127.0.0.1:9000"],
  ["[::1]:9000", "http://[::1]:9000"],
  ["http://10.0.0.7:8080", "http://10.0.0.7:8080"],
  ["localhost.example.org", "https://localhost.example.org"],
])("%s means %s", (text, origin) => {
  expect(parseAddress(text)).toBe(origin);
});

test.each(["", "   ", "two words", "ftp://example.org", "https://", "https://me@example.org"])(
  "%j is no address",
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

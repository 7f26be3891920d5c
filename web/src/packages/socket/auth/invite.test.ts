import { expect, test } from "vitest";
import { checkInvite, inviteIn } from "./invite.ts";

const issuer = "https://chat.example.org/issuer";

function answering(response: () => Response, seen: RequestInit[] = []): typeof fetch {
  return async (_url, init) => {
    if (init) seen.push(init);
    return response();
  };
}

test.each(["good", "expired", "used", "revoked", "unknown"])("%s is told", async (standing) => {
  const fetcher = answering(() => Response.json({ standing }));
  expect(await checkInvite(issuer, "t", fetcher)).toBe(standing);
});

test("the token is in the body", async () => {
  const seen: RequestInit[] = [];
  const fetcher = answering(() => Response.json({ standing: "good" }), seen);
  await checkInvite(issuer, "a+b", fetcher);
  expect(String(seen[0]?.body)).toBe("token=a%2Bb");
});

test.each([
  ["slow", () => new Response("", { status: 429 })],
  ["unreachable", () => new Response("", { status: 500 })],
  ["unreachable", () => new Response("<html>")],
  ["unreachable", () => Response.json({ standing: "mine" })],
  [
    "unreachable",
    () => {
      throw new TypeError("failed to fetch");
    },
  ],
])("no answer is %s", async (answer, response) => {
  expect(await checkInvite(issuer, "t", answering(response))).toBe(answer);
});

test.each([
  ["/invite/abc_-1", "abc_-1"],
  ["/invite/abc/", "abc"],
  ["/invite/", undefined],
  ["/invite", undefined],
  ["/invite/a/b", undefined],
  ["/", undefined],
])("%s carries %s", (path, token) => {
  expect(inviteIn(path)).toBe(token);
});

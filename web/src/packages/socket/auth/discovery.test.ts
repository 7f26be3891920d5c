import { describe, expect, test } from "vitest";
import { discover } from "./discovery.ts";

const page = { origin: "https://app.example.org", protocol: "https:" };
const address = "https://chat.example.org";
const body = {
  server_id: "aaaaaaaaaaaaaaaaaaaaaaaaaa",
  name: "Home",
  socket_url: "wss://chat.example.org/ws",
  issuer: "https://chat.example.org/issuer",
  client_id: "gryt-web",
  protocol_version: 1,
};

function answering(answer: (mode: string | undefined) => Response): typeof fetch {
  return async (_url, init) => answer(init?.mode);
}

const silent = answering(() => {
  throw new TypeError("failed to fetch");
});

describe("an address", () => {
  test("of a server gives what it says about itself", async () => {
    const result = await discover(
      address,
      page,
      answering(() => Response.json(body)),
    );
    expect(result).toMatchObject({ kind: "found", discovery: { name: "Home" } });
  });

  const own = { name: "local", url: body.issuer, clientId: "gryt-web" };
  const realm = {
    name: "keycloak",
    label: "Work account",
    issuer: "https://id.example.org/realms/work",
    client_id: "gryt-home",
  };
  const { issuer: url, client_id: clientId, ...named } = realm;

  test.each([
    ["a server's own accounts, of a server that knows nothing else", undefined, [own]],
    ["issuers elsewhere", [realm], [{ ...named, url, clientId }]],
    [
      "several, in the server's order",
      [{ ...realm, name: "local", label: "Own" }, realm],
      [{ name: "local" }, { name: "keycloak" }],
    ],
  ])("offers %s", async (_name, issuers, expected) => {
    const result = await discover(
      address,
      page,
      answering(() => Response.json({ ...body, issuers })),
    );
    expect(result).toMatchObject({ kind: "found", discovery: { issuers: expected } });
  });

  test.each([
    ["none", []],
    ["no list", "https://id.example.org"],
    ["one without a client", [{ ...realm, client_id: undefined }]],
    ["one that is a script", [{ ...realm, issuer: "javascript:alert(1)" }]],
  ])("that offers %s is no server's", async (_name, issuers) => {
    const result = await discover(
      address,
      page,
      answering(() => Response.json({ ...body, issuers })),
    );
    expect(result).toEqual({ kind: "failed", failure: "notGryt" });
  });

  const failures: [string, typeof fetch, string][] = [
    ["with nothing behind it", silent, "unreachable"],
    ["of another website", answering(() => new Response("<html>")), "notGryt"],
    [
      "of a website without such a page",
      answering(() => new Response("", { status: 404 })),
      "notGryt",
    ],
    ["of another JSON service", answering(() => Response.json({ ...body, issuer: 7 })), "notGryt"],
    [
      "of a server behind a proxy that restarts",
      answering(() => new Response("", { status: 502 })),
      "unreachable",
    ],
    [
      "that refuses this origin",
      answering(() => new Response("", { status: 403 })),
      "originRefused",
    ],
    [
      "that does not let this origin read",
      answering((mode) => {
        if (mode === "no-cors") return new Response("");
        throw new TypeError("failed to fetch");
      }),
      "originRefused",
    ],
  ];

  test.each(failures)("%s is explained", async (_name, fetcher, failure) => {
    expect(await discover(address, page, fetcher)).toEqual({ kind: "failed", failure });
  });

  test("without encryption cannot be used from an https page", async () => {
    const result = await discover("http://10.0.0.7:8080", page, silent);
    expect(result).toEqual({ kind: "failed", failure: "insecure" });
  });
});

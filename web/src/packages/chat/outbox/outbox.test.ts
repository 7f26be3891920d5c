import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Reason } from "#proto/reason";
import { RefusalSchema } from "#proto/socket";
import { Outbox, type OutboxEffect, type SendOutcome } from "./outbox.ts";

function nonces(effects: OutboxEffect[]): string[] {
  return effects.flatMap((effect) => (effect.kind === "send" ? [effect.message.nonce] : []));
}

function connected(): Outbox {
  const outbox = new Outbox();
  outbox.handle({ kind: "connected" }, 0);
  return outbox;
}

function compose(outbox: Outbox, nonce: string, channelId = "c"): string[] {
  return nonces(
    outbox.handle({ kind: "compose", nonce, channelId, text: `text ${nonce}`, files: [] }, 0),
  );
}

function refused(reason: Reason, retryAfterMs = 0): SendOutcome {
  const refusal = create(RefusalSchema, { reason, retryAfterMs });
  return { kind: "refused", refusal, explanation: "No." };
}

describe("sending", () => {
  test("keeps the order within a channel, one at a time", () => {
    const outbox = connected();
    expect(compose(outbox, "a")).toEqual(["a"]);
    expect(compose(outbox, "b")).toEqual([]);
    expect(compose(outbox, "x", "other")).toEqual(["x"]);
    const next = outbox.handle(
      { kind: "outcome", nonce: "a", outcome: { kind: "acknowledged" } },
      1,
    );
    expect(nonces(next)).toEqual(["b"]);
    expect(outbox.pending().map((m) => m.nonce)).toEqual(["b", "x"]);
  });

  test("waits for the connection, then goes in the order of writing", () => {
    const outbox = new Outbox();
    expect(compose(outbox, "a")).toEqual([]);
    expect(compose(outbox, "b")).toEqual([]);
    expect(outbox.pending().map((m) => m.state)).toEqual(["waiting", "waiting"]);
    expect(nonces(outbox.handle({ kind: "connected" }, 1))).toEqual(["a"]);
  });

  test("repeats after a lost connection with the same nonce and text", () => {
    const outbox = connected();
    compose(outbox, "a");
    outbox.handle({ kind: "disconnected" }, 1);
    expect(outbox.handle({ kind: "outcome", nonce: "a", outcome: { kind: "lost" } }, 1)).toEqual(
      [],
    );
    expect(outbox.handle({ kind: "connected" }, 2)).toMatchObject([
      { kind: "send", message: { nonce: "a", channelId: "c", text: "text a" } },
    ]);
  });

  test("is over when the message comes back as an event before its reply", () => {
    const outbox = connected();
    compose(outbox, "a");
    compose(outbox, "b");
    expect(nonces(outbox.handle({ kind: "seen", nonce: "a" }, 1))).toEqual(["b"]);
    const late = { kind: "outcome", nonce: "a", outcome: { kind: "acknowledged" } } as const;
    expect(outbox.handle(late, 2)).toEqual([]);
    expect(outbox.pending().map((m) => m.nonce)).toEqual(["b"]);
  });
});

describe("a refusal", () => {
  test("is shown, lets the next one pass, and can be retried", () => {
    const outbox = connected();
    compose(outbox, "a");
    compose(outbox, "b");
    const outcome = refused(Reason.TEXT_TOO_LONG);
    expect(nonces(outbox.handle({ kind: "outcome", nonce: "a", outcome }, 1))).toEqual(["b"]);
    expect(outbox.pending()[0]).toMatchObject({ state: "failed", problem: "No." });
    outbox.handle({ kind: "outcome", nonce: "b", outcome: { kind: "acknowledged" } }, 2);
    expect(nonces(outbox.handle({ kind: "retry", nonce: "a" }, 3))).toEqual(["a"]);
    expect(outbox.pending()[0]?.problem).toBeUndefined();
  });

  test("for haste holds everything back for as long as the server says", () => {
    const outbox = connected();
    compose(outbox, "a");
    const outcome = refused(Reason.RATE_LIMITED, 3_000);
    expect(outbox.handle({ kind: "outcome", nonce: "a", outcome }, 1_000)).toEqual([
      { kind: "wakeAt", atMs: 4_000 },
    ]);
    expect(nonces(outbox.handle({ kind: "wake" }, 3_999))).toEqual([]);
    expect(nonces(outbox.handle({ kind: "wake" }, 4_000))).toEqual(["a"]);
  });

  test("can be answered by discarding", () => {
    const outbox = connected();
    compose(outbox, "a");
    outbox.handle({ kind: "outcome", nonce: "a", outcome: refused(Reason.FORBIDDEN) }, 1);
    outbox.handle({ kind: "discard", nonce: "a" }, 2);
    expect(outbox.pending()).toEqual([]);
  });
});

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Reason } from "#proto/reason";
import { ServerFrameSchema } from "#proto/socket";
import { backoffMs, longestSeenMs, longestUnseenMs } from "./backoff.ts";
import { ConnectionMachine, type Credentials, type Effect } from "./machine.ts";

const credentials: Credentials = {
  token: "t1",
  expiresAtMs: 300_000,
  socketUrl: "wss://chat.example.org/ws",
};

type FrameInit = NonNullable<MessageInitShape<typeof ServerFrameSchema>["frame"]>;

function frame(init: FrameInit) {
  return { kind: "frame", frame: create(ServerFrameSchema, { frame: init }) } as const;
}

function kinds(effects: Effect[]): string[] {
  return effects.map((effect) => effect.kind);
}

function sent(effects: Effect[]) {
  return effects.flatMap((effect) => (effect.kind === "send" ? [effect.frame] : []));
}

function phases(effects: Effect[]) {
  return effects.flatMap((effect) =>
    effect.kind === "notify" && effect.notice.kind === "phase" ? [effect.notice.phase] : [],
  );
}

function retryAt(effects: Effect[]): number | undefined {
  for (const effect of effects) {
    if (effect.kind === "setTimer" && effect.timer === "retry") return effect.atMs;
  }
  return undefined;
}

function welcome(requestId: bigint, eventId: bigint) {
  return frame({
    case: "reply",
    value: {
      requestId,
      result: {
        case: "welcome",
        value: {
          resumed: false,
          cursor: { epoch: "e1", eventId },
          pingIntervalSeconds: 20,
          sessionId: "s1",
        },
      },
    },
  });
}

/** A machine with a live session that began at 0. */
function live(): ConnectionMachine {
  const machine = new ConnectionMachine(() => 0);
  machine.handle({ kind: "start" }, 0);
  machine.handle({ kind: "credentials", credentials }, 0);
  const [hello] = sent(machine.handle({ kind: "opened" }, 0));
  machine.handle(welcome(hello?.requestId ?? 0n, 7n), 0);
  return machine;
}

/** Lets a dropped machine come back, and returns its `Hello`. */
function comeBack(machine: ConnectionMachine, nowMs: number) {
  machine.handle({ kind: "timer", timer: "retry" }, nowMs);
  machine.handle({ kind: "credentials", credentials }, nowMs);
  return sent(machine.handle({ kind: "opened" }, nowMs))[0];
}

describe("a session", () => {
  test("begins with credentials, a socket and a hello", () => {
    const machine = new ConnectionMachine(() => 0);
    expect(kinds(machine.handle({ kind: "start" }, 0))).toContain("fetchCredentials");
    expect(kinds(machine.handle({ kind: "credentials", credentials }, 0))).toContain("open");
    const [hello] = sent(machine.handle({ kind: "opened" }, 0));
    expect(hello?.request.case).toBe("hello");
    expect(hello?.requestId).not.toBe(0n);
    const effects = machine.handle(welcome(hello?.requestId ?? 0n, 7n), 0);
    expect(phases(effects)).toEqual([{ kind: "connected" }]);
    // The state has to be complete before anyone is told that requests are welcome.
    const notices = effects.flatMap((e) => (e.kind === "notify" ? [e.notice.kind] : []));
    expect(notices).toEqual(["welcome", "phase"]);
  });

  test("resumes after the last durable event, and live events do not move the cursor", () => {
    const machine = live();
    machine.handle(frame({ case: "event", value: { eventId: 9n } }), 1);
    machine.handle(frame({ case: "event", value: { eventId: 0n } }), 2);
    machine.handle({ kind: "closed", code: 1006 }, 3);
    const hello = comeBack(machine, 1_000);
    expect(hello?.request.case === "hello" && hello.request.value.resume).toMatchObject({
      epoch: "e1",
      eventId: 9n,
    });
    expect(hello?.request.case === "hello" && hello.request.value.sessionId).toBe("s1");
  });

  test("without a sign-in waits for the person", () => {
    const machine = new ConnectionMachine(() => 0);
    machine.handle({ kind: "start" }, 0);
    const effects = machine.handle({ kind: "credentialsMissing" }, 0);
    expect(phases(effects)).toEqual([{ kind: "signedOut", why: "left" }]);
    expect(retryAt(effects)).toBeUndefined();
  });

  test("tells a sign-in that was ended from one that never was or that the person ended", () => {
    const refused = live();
    refused.handle({ kind: "timer", timer: "renew" }, 240_000);
    refused.handle({ kind: "credentialsEnded" }, 240_000);
    expect(refused.phase()).toEqual({ kind: "signedOut", why: "ended" });
    // Another tab was told first and has removed the tokens.
    const other = live();
    other.handle({ kind: "timer", timer: "renew" }, 240_000);
    other.handle({ kind: "credentialsMissing" }, 240_000);
    expect(other.phase()).toEqual({ kind: "signedOut", why: "ended" });
    const left = live();
    left.handle({ kind: "signOut" }, 1);
    expect(left.phase()).toEqual({ kind: "signedOut", why: "left" });
    left.handle({ kind: "start" }, 2);
    left.handle({ kind: "credentialsMissing" }, 2);
    expect(left.phase()).toEqual({ kind: "signedOut", why: "left" });
  });

  test("forgets its cursor with the sign-out, for the next person is another", () => {
    const machine = live();
    machine.handle({ kind: "signOut" }, 1);
    machine.handle({ kind: "start" }, 2);
    machine.handle({ kind: "credentials", credentials }, 2);
    const [hello] = sent(machine.handle({ kind: "opened" }, 2));
    expect(hello?.request.case === "hello" && hello.request.value.resume).toBeUndefined();
  });
});

describe("requests", () => {
  test("are settled once, with their own reply", () => {
    const machine = live();
    const request = { case: "leaveVoice", value: {} } as const;
    const [a] = sent(machine.handle({ kind: "request", request, ticket: 1 }, 1));
    const [b] = sent(machine.handle({ kind: "request", request, ticket: 2 }, 1));
    expect(a?.requestId).not.toBe(b?.requestId);
    const reply = frame({
      case: "reply",
      value: { requestId: b?.requestId ?? 0n, result: { case: "done", value: {} } },
    });
    const first = machine.handle(reply, 2);
    expect(first).toMatchObject([{ kind: "settle", ticket: 2, outcome: { case: "done" } }]);
    expect(machine.handle(reply, 3)).toEqual([]);
  });

  test("in flight are lost with the socket, and later ones at once", () => {
    const machine = live();
    const request = { case: "leaveVoice", value: {} } as const;
    machine.handle({ kind: "request", request, ticket: 1 }, 1);
    expect(machine.handle({ kind: "closed", code: 1006 }, 2)).toContainEqual({
      kind: "settle",
      ticket: 1,
      outcome: { case: "lost" },
    });
    expect(machine.handle({ kind: "request", request, ticket: 2 }, 3)).toEqual([
      { kind: "settle", ticket: 2, outcome: { case: "lost" } },
    ]);
  });
});

describe("a lost socket", () => {
  test("is tried again later and later, up to a bound", () => {
    const waits = [0, 1, 2, 3, 10, 1_000].map((attempt) => backoffMs(attempt, 1, longestUnseenMs));
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 30_000, 30_000]);
    expect(backoffMs(3, 0, longestUnseenMs)).toBe(2_000);
    expect(backoffMs(10, 1, longestSeenMs)).toBe(5_000);
  });

  /** A machine that has tried in vain for long, its last attempt at 0. */
  function tired(visible: boolean): ConnectionMachine {
    const machine = live();
    machine.handle({ kind: "seen", visible }, 0);
    machine.handle({ kind: "closed", code: 1006 }, 0);
    for (let attempt = 0; attempt < 10; attempt++) {
      machine.handle({ kind: "timer", timer: "retry" }, 0);
      machine.handle({ kind: "credentialsUnreachable", issuerAway: true }, 0);
    }
    return machine;
  }

  test("keeps nobody waiting for more than five seconds who looks at the page", () => {
    expect(tired(true).phase()).toMatchObject({ retryAtMs: 2_500 });
    expect(tired(false).phase()).toMatchObject({ retryAtMs: 15_000 });
  });

  test("is tried at once for who comes back to the page", () => {
    const machine = tired(false);
    const effects = machine.handle({ kind: "seen", visible: true }, 1_000);
    expect(kinds(effects)).toContain("fetchCredentials");
    // What the person reads: it is being tried, and no time is left to wait.
    expect(phases(effects)).toMatchObject([{ kind: "reconnecting", retryAtMs: 1_000 }]);
    expect(machine.handle({ kind: "seen", visible: true }, 1_001)).toEqual([]);
  });

  test("for too many sockets is not tried sooner by looking at the page", () => {
    const machine = live();
    machine.handle({ kind: "seen", visible: false }, 0);
    machine.handle(frame({ case: "goodbye", value: { reason: Reason.RATE_LIMITED } }), 0);
    expect(machine.handle({ kind: "seen", visible: true }, 59_999)).toEqual([]);
    machine.handle({ kind: "seen", visible: false }, 59_999);
    expect(kinds(machine.handle({ kind: "seen", visible: true }, 60_000))).toContain(
      "fetchCredentials",
    );
  });

  test("starts over from the short wait after a welcome", () => {
    const machine = live();
    machine.handle({ kind: "closed", code: 1006 }, 0);
    machine.handle({ kind: "timer", timer: "retry" }, 1_000);
    expect(
      retryAt(machine.handle({ kind: "credentialsUnreachable", issuerAway: true }, 1_000)),
    ).toBe(1_500);
    const hello = comeBack(machine, 2_000);
    machine.handle(welcome(hello?.requestId ?? 0n, 8n), 2_000);
    expect(retryAt(machine.handle({ kind: "closed", code: 1006 }, 3_000))).toBe(3_250);
  });

  test("is noticed by an unanswered ping", () => {
    const machine = live();
    const [ping] = sent(machine.handle({ kind: "timer", timer: "ping" }, 20_000));
    expect(ping?.request.case).toBe("ping");
    const effects = machine.handle({ kind: "timer", timer: "ping" }, 40_000);
    expect(kinds(effects)).toContain("close");
    expect(phases(effects)[0]?.kind).toBe("reconnecting");
  });

  test("does not wait when the network comes back", () => {
    const machine = live();
    machine.handle({ kind: "closed", code: 1006 }, 0);
    expect(kinds(machine.handle({ kind: "hurry" }, 1))).toContain("fetchCredentials");
    expect(machine.handle({ kind: "hurry" }, 2)).toEqual([]);
  });

  test("before the handshake was over asks for a fresh token next time", () => {
    const machine = new ConnectionMachine(() => 0);
    machine.handle({ kind: "start" }, 0);
    machine.handle({ kind: "credentials", credentials }, 0);
    machine.handle({ kind: "closed", code: 1006 }, 1);
    expect(machine.handle({ kind: "timer", timer: "retry" }, 1_000)).toContainEqual({
      kind: "fetchCredentials",
      fresh: true,
    });
  });
});

describe("a token", () => {
  test("is renewed a minute before it expires, on the live socket", () => {
    const machine = new ConnectionMachine(() => 0);
    machine.handle({ kind: "start" }, 0);
    expect(machine.handle({ kind: "credentials", credentials }, 0)).toContainEqual({
      kind: "setTimer",
      timer: "renew",
      atMs: 240_000,
    });
    const [hello] = sent(machine.handle({ kind: "opened" }, 0));
    machine.handle(welcome(hello?.requestId ?? 0n, 0n), 0);
    expect(machine.handle({ kind: "timer", timer: "renew" }, 240_000)).toEqual([
      { kind: "fetchCredentials", fresh: true },
    ]);
    const next = { ...credentials, token: "t2", expiresAtMs: 540_000 };
    const effects = machine.handle({ kind: "credentials", credentials: next }, 240_000);
    expect(sent(effects)[0]?.request).toMatchObject({ case: "renewToken", value: { token: "t2" } });
    expect(kinds(effects)).not.toContain("open");
  });

  test("that cannot be renewed for want of a network does not end a live session", () => {
    const machine = live();
    machine.handle({ kind: "timer", timer: "renew" }, 240_000);
    const effects = machine.handle({ kind: "credentialsUnreachable", issuerAway: true }, 240_000);
    expect(kinds(effects)).toEqual(["setTimer"]);
    expect(machine.phase().kind).toBe("connected");
  });

  test("refused twice in a row ends the sign-in", () => {
    const machine = live();
    const goodbye = frame({ case: "goodbye", value: { reason: Reason.UNAUTHENTICATED } });
    machine.handle(goodbye, 1);
    expect(machine.phase().kind).toBe("reconnecting");
    comeBack(machine, 2_000);
    machine.handle(goodbye, 2_001);
    expect(machine.phase()).toEqual({ kind: "signedOut", why: "refused" });
  });

  test("that the server cannot check yet does not end a live session", () => {
    const machine = live();
    machine.handle({ kind: "timer", timer: "renew" }, 240_000);
    const [renewal] = sent(machine.handle({ kind: "credentials", credentials }, 240_000));
    const refusal = { reason: Reason.ISSUER_UNAVAILABLE };
    const reply = {
      requestId: renewal?.requestId ?? 0n,
      result: { case: "refusal", value: refusal },
    } as const;
    const effects = machine.handle(frame({ case: "reply", value: reply }), 240_100);
    expect(effects).toEqual([{ kind: "setTimer", timer: "renew", atMs: 255_100 }]);
    expect(machine.phase().kind).toBe("connected");
  });

  test("that cannot be had or checked while the issuer is away is asked for again", () => {
    const asking = new ConnectionMachine(() => 0);
    asking.handle({ kind: "start" }, 0);
    asking.handle({ kind: "credentialsUnreachable", issuerAway: true }, 0);
    expect(asking.phase()).toMatchObject({ kind: "reconnecting", issuerAway: true });
    const checked = live();
    const goodbye = { reason: Reason.ISSUER_UNAVAILABLE };
    checked.handle(frame({ case: "goodbye", value: goodbye }), 1);
    expect(checked.phase()).toMatchObject({ kind: "reconnecting", issuerAway: true });
    checked.handle({ kind: "closed", code: 1006 }, 1);
    comeBack(checked, 10_000);
    checked.handle({ kind: "closed", code: 1006 }, 10_001);
    expect(checked.phase()).not.toHaveProperty("issuerAway");
  });
});

describe("a goodbye", () => {
  const stops = [
    [Reason.CLIENT_TOO_OLD, "clientTooOld"],
    [Reason.ORIGIN_FORBIDDEN, "originForbidden"],
    [Reason.FORBIDDEN, "forbidden"],
    [Reason.MALFORMED, "clientDefect"],
  ] as const;

  test.each(stops)("with reason %s stops until the person acts", (reason, expected) => {
    const machine = live();
    const effects = machine.handle(frame({ case: "goodbye", value: { reason } }), 1);
    expect(machine.phase()).toEqual({ kind: "stopped", reason: expected });
    expect(retryAt(effects)).toBeUndefined();
    // The close that follows a goodbye changes nothing.
    expect(machine.handle({ kind: "closed", code: 1006 }, 2)).toEqual([]);
    expect(machine.handle({ kind: "hurry" }, 3)).toEqual([]);
  });

  test("that got lost is read from the close code", () => {
    const machine = live();
    machine.handle({ kind: "closed", code: 4_000 + Reason.CLIENT_TOO_OLD }, 1);
    expect(machine.phase()).toEqual({ kind: "stopped", reason: "clientTooOld" });
    const other = live();
    other.handle({ kind: "closed", code: 4_900 }, 1);
    expect(other.phase().kind).toBe("reconnecting");
  });

  test("for too many sockets waits a minute", () => {
    const machine = live();
    const effects = machine.handle(
      frame({ case: "goodbye", value: { reason: Reason.RATE_LIMITED } }),
      0,
    );
    expect(retryAt(effects)).toBeGreaterThanOrEqual(60_000);
  });

  test.each([Reason.GOING_AWAY, Reason.SLOW_CONSUMER, Reason.INTERNAL])(
    "with reason %s comes back and resumes",
    (reason) => {
      const machine = live();
      machine.handle(frame({ case: "goodbye", value: { reason } }), 1);
      const hello = comeBack(machine, 1_000);
      expect(hello?.request.case === "hello" && hello.request.value.resume?.eventId).toBe(7n);
    },
  );
});

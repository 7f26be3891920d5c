import { describe, expect, test } from "vitest";
import { Call, CONNECT_MS, INTERRUPTED_MS } from "./call.ts";
import type { CallEffect, CallEvent, CallFailure, Offer, Refusal } from "./callTypes.ts";

const LOUNGE = "lounge";

function offer(revision = 1, participantId = 7, channelId = LOUNGE): Offer {
  return { channelId, participantId, revision, sdp: `offer ${revision}` };
}

function refusal(cause: Refusal["cause"], retryAfterMs = 0): Refusal {
  return { cause, message: cause, retryAfterMs };
}

const join: CallEvent = { kind: "join", channelId: LOUNGE, listenOnly: false };
const accepted: CallEvent = { kind: "joinAccepted", attempt: 1, offer: offer() };
const made: CallEvent = { kind: "answerMade", attempt: 1, revision: 1, sdp: "answer" };
const answered: CallEvent = { kind: "answerAccepted", attempt: 1, revision: 1 };
const heard: CallEvent = { kind: "mediaConnected", attempt: 1 };
const connected = [join, accepted, made, answered, heard];
const lost: CallEvent = { kind: "socketLost" };

function resumed(...participantIds: number[]): CallEvent {
  const seats = participantIds.map((participantId) => ({ channelId: LOUNGE, participantId }));
  return { kind: "socketResumed", seats };
}

/** A call after `events`; `effects` are those of the last one. */
function callAfter(...events: CallEvent[]): { call: Call; effects: CallEffect[] } {
  const call = new Call(true, () => 0.5);
  let effects: CallEffect[] = [];
  for (const event of events) effects = call.handle(event);
  return { call, effects };
}

function kinds(effects: readonly CallEffect[]): string[] {
  return effects.map((effect) => effect.kind);
}

const elsewhere = (muted: boolean, deafened: boolean): CallEvent => ({
  kind: "elsewhere",
  flags: { muted, deafened },
});

const ended = (end: "channelDeleted" | "mediaLost" | "nodeLost" | "replaced"): CallEvent => ({
  kind: "seatEnded",
  channelId: LOUNGE,
  end,
});

const refusedWith = (cause: Refusal["cause"], retryAfterMs = 0): CallEvent => ({
  kind: "joinRefused",
  attempt: 1,
  refusal: refusal(cause, retryAfterMs),
});

const answerRefused = (cause: Refusal["cause"]): CallEvent => ({
  kind: "answerRefused",
  attempt: 1,
  revision: 1,
  refusal: refusal(cause),
});

const offered = (revision: number): CallEvent => ({ kind: "offered", offer: offer(revision) });

/** What happened before, what happens, the state that is shown, and what is done. */
const TRANSITIONS: [string, CallEvent[], CallEvent, string, string[]][] = [
  [
    "a click asks for a seat and everything else at once",
    [],
    join,
    "joining",
    ["requestJoin", "openPeer", "startAudio", "acquireMicrophone", "applyFlags"],
  ],
  [
    "listening only leaves the microphone alone",
    [],
    { kind: "join", channelId: LOUNGE, listenOnly: true },
    "joining",
    ["requestJoin", "openPeer", "startAudio", "applyFlags"],
  ],
  ["the reply's offer is answered at once", [join], accepted, "joining", ["answer", "startTimer"]],
  ["a made answer is sent", [join, accepted], made, "joining", ["sendAnswer"]],
  [
    "media may connect before the answer's reply",
    [join, accepted, made],
    heard,
    "connected",
    ["stopTimer"],
  ],
  ["the answer's reply alone is not a connection", [join, accepted, made], answered, "joining", []],
  ["joining the same channel again does nothing", connected, join, "connected", []],
  [
    "another channel takes over without a leave",
    connected,
    { kind: "join", channelId: "stage", listenOnly: false },
    "joining",
    ["closePeer", "requestJoin", "openPeer", "applyFlags"],
  ],
  [
    "switching to listening only joins anew without the microphone",
    connected,
    { kind: "join", channelId: LOUNGE, listenOnly: true },
    "joining",
    ["closePeer", "requestJoin", "openPeer", "releaseMicrophone", "applyFlags"],
  ],
  [
    "leaving cleans up and tells the server",
    connected,
    { kind: "leave" },
    "idle",
    ["closePeer", "releaseMicrophone", "stopAudio", "requestLeave"],
  ],
  [
    "leaving while connecting stops the timer",
    [join, accepted],
    { kind: "leave" },
    "idle",
    ["closePeer", "stopTimer", "releaseMicrophone", "stopAudio", "requestLeave"],
  ],
  ["leaving while idle does nothing", [], { kind: "leave" }, "idle", []],
  [
    "a seat given after leaving is given back",
    [join, { kind: "leave" }],
    accepted,
    "idle",
    ["requestLeave"],
  ],
  [
    "forbidden ends the attempt",
    [join],
    refusedWith("forbidden"),
    "failed",
    ["closePeer", "releaseMicrophone", "stopAudio"],
  ],
  [
    "a full room ends the attempt",
    [join],
    refusedWith("roomFull"),
    "failed",
    ["closePeer", "releaseMicrophone", "stopAudio"],
  ],
  ["no node is tried again", [join], refusedWith("noNode"), "joining", ["closePeer", "startTimer"]],
  ["a newer offer is answered", connected, offered(2), "connected", ["answer"]],
  ["an older or equal offer is ignored", connected, offered(1), "connected", []],
  ["an offer while one is in work waits", [join, accepted], offered(2), "joining", []],
  [
    "a waiting offer is answered next",
    [join, accepted, offered(2), offered(3), made],
    answered,
    "joining",
    ["answer"],
  ],
  [
    "an offer for an earlier seat is ignored",
    connected,
    { kind: "offered", offer: offer(9, 3) },
    "connected",
    [],
  ],
  ["an answer to an older offer is dropped", [...connected, offered(2)], made, "connected", []],
  [
    "a stale answer waits for the newer offer",
    [join, accepted, made],
    answerRefused("staleOffer"),
    "joining",
    [],
  ],
  [
    "a bad answer joins anew",
    [join, accepted, made],
    answerRefused("badAnswer"),
    "joining",
    ["closePeer", "stopTimer", "startTimer"],
  ],
  [
    "an offer that the browser refuses joins anew",
    [join, accepted],
    { kind: "answerFailed", attempt: 1, revision: 1 },
    "joining",
    ["closePeer", "stopTimer", "startTimer"],
  ],
  [
    "no media in time joins anew",
    [join, accepted, made, answered],
    { kind: "timeout", timer: "media" },
    "joining",
    ["closePeer", "stopTimer", "startTimer"],
  ],
  [
    "an interrupted path gets some seconds",
    connected,
    { kind: "mediaInterrupted", attempt: 1 },
    "reconnecting",
    ["startTimer"],
  ],
  [
    "a path that comes back is a connection",
    [...connected, { kind: "mediaInterrupted", attempt: 1 }],
    heard,
    "connected",
    ["stopTimer"],
  ],
  [
    "a path that stays away joins anew",
    [...connected, { kind: "mediaInterrupted", attempt: 1 }],
    { kind: "timeout", timer: "media" },
    "reconnecting",
    ["closePeer", "stopTimer", "startTimer"],
  ],
  [
    "a failed path joins anew",
    connected,
    { kind: "mediaFailed", attempt: 1 },
    "reconnecting",
    ["closePeer", "startTimer"],
  ],
  [
    "an earlier peer's failure is ignored",
    connected,
    { kind: "mediaFailed", attempt: 0 },
    "connected",
    [],
  ],
  [
    "the retry asks for a seat",
    [...connected, { kind: "mediaFailed", attempt: 1 }],
    { kind: "timeout", timer: "retry" },
    "reconnecting",
    ["requestJoin", "openPeer"],
  ],
  ["a stray timer does nothing", connected, { kind: "timeout", timer: "retry" }, "connected", []],
  [
    "a lost node joins anew",
    connected,
    ended("nodeLost"),
    "reconnecting",
    ["closePeer", "startTimer"],
  ],
  [
    "lost media joins anew",
    connected,
    ended("mediaLost"),
    "reconnecting",
    ["closePeer", "startTimer"],
  ],
  [
    "another tab ends the call, and its seat is left alone",
    connected,
    ended("replaced"),
    "failed",
    ["closePeer", "releaseMicrophone", "stopAudio"],
  ],
  [
    "a deleted channel ends the call",
    connected,
    ended("channelDeleted"),
    "failed",
    ["closePeer", "releaseMicrophone", "stopAudio"],
  ],
  [
    "a deleted channel ends a joining call",
    [join],
    ended("channelDeleted"),
    "failed",
    ["closePeer", "releaseMicrophone", "stopAudio"],
  ],
  [
    "the end of an earlier seat does not end a joining call",
    [join],
    ended("replaced"),
    "joining",
    [],
  ],
  [
    "the end of another channel's seat is ignored",
    connected,
    { kind: "seatEnded", channelId: "stage", end: "nodeLost" },
    "connected",
    [],
  ],
  ["the call goes on without the socket", connected, lost, "connected", []],
  [
    "a kept seat goes on after the resume and tells its flags again",
    [...connected, lost],
    resumed(7, 8),
    "connected",
    ["sendFlags"],
  ],
  [
    "a seat that was not kept is taken anew",
    [...connected, lost],
    resumed(8),
    "reconnecting",
    ["closePeer", "requestJoin", "openPeer"],
  ],
  [
    "an answer made without a socket is sent after the resume",
    [join, accepted, lost, made],
    resumed(7),
    "joining",
    ["sendAnswer", "sendFlags"],
  ],
  [
    "a seat that the server does not know any more is asked for anew",
    [...connected, lost, resumed(7)],
    { kind: "seatUnknown", attempt: 1 },
    "reconnecting",
    ["closePeer", "requestJoin", "openPeer"],
  ],
  ["a lost request waits for the socket", [join], lost, "joining", ["closePeer"]],
  [
    "a waiting call joins when the socket is back",
    [join, lost],
    resumed(),
    "joining",
    ["requestJoin", "openPeer"],
  ],
  [
    "a click without a socket waits for it",
    [lost],
    join,
    "joining",
    ["startAudio", "acquireMicrophone", "applyFlags"],
  ],
  [
    "media lost without a socket waits for it",
    [...connected, lost],
    { kind: "mediaFailed", attempt: 1 },
    "reconnecting",
    ["closePeer"],
  ],
  [
    "leaving without a socket stays silent",
    [...connected, lost],
    { kind: "leave" },
    "idle",
    ["closePeer", "releaseMicrophone", "stopAudio"],
  ],
  [
    "and is told after the resume",
    [...connected, lost, { kind: "leave" }],
    resumed(7),
    "idle",
    ["requestLeave"],
  ],
  [
    "muting is applied and told",
    connected,
    { kind: "setMuted", muted: true },
    "connected",
    ["applyFlags", "sendFlags"],
  ],
  [
    "muting before a call is applied only",
    [],
    { kind: "setMuted", muted: true },
    "idle",
    ["applyFlags"],
  ],
  [
    "muting while joining is told with the seat",
    [join, { kind: "setMuted", muted: true }],
    accepted,
    "joining",
    ["answer", "startTimer", "sendFlags"],
  ],
  [
    "muting without a socket is told after the resume",
    [...connected, lost, { kind: "setMuted", muted: true }],
    resumed(7),
    "connected",
    ["sendFlags"],
  ],
  [
    "a missing microphone is told as muted",
    connected,
    { kind: "microphone", available: false },
    "connected",
    ["applyFlags", "sendFlags"],
  ],
];

describe("call", () => {
  test.each(TRANSITIONS)("%s", (_, before, event, state, expected) => {
    const { call, effects } = callAfter(...before, event);
    expect(kinds(effects)).toEqual(expected);
    expect(call.view().state).toBe(state);
  });

  test("deafening mutes, and unmuting ends deafness", () => {
    const { call, effects } = callAfter(...connected, { kind: "setDeafened", deafened: true });
    expect(effects).toContainEqual({
      kind: "sendFlags",
      attempt: 1,
      flags: { muted: true, deafened: true },
    });
    expect(call.view()).toMatchObject({ muted: true, deafened: true });
    call.handle({ kind: "setMuted", muted: false });
    expect(call.view()).toMatchObject({ muted: false, deafened: false });
  });

  test("ending deafness brings back the mute of before", () => {
    const { call } = callAfter(
      { kind: "setMuted", muted: true },
      { kind: "setDeafened", deafened: true },
      { kind: "setDeafened", deafened: false },
    );
    expect(call.view()).toMatchObject({ muted: true, deafened: false });
  });

  test("who is silent in another tab is silent when the call is taken over here", () => {
    const { effects } = callAfter(elsewhere(true, false), join);
    expect(effects[0]).toMatchObject({ flags: { muted: true, deafened: false } });
  });

  test("who was silent here is silent when the call comes back from another tab", () => {
    const before = [...connected, { kind: "setMuted", muted: true } as const, ended("replaced")];
    const { call } = callAfter(...before, elsewhere(false, false), join);
    expect(call.view()).toMatchObject({ state: "joining", muted: true });
  });

  test("another tab changes nothing while there is a call here", () => {
    const { call } = callAfter(...connected, elsewhere(true, true));
    expect(call.view()).toMatchObject({ muted: false, deafened: false });
  });

  test("an offer event that overtook the reply is the one that is answered", () => {
    const { effects } = callAfter(join, offered(2), accepted);
    expect(effects).toContainEqual({ kind: "answer", attempt: 1, offer: offer(2) });
  });

  test("waits as long as the server asks", () => {
    const { effects } = callAfter(join, refusedWith("rateLimited", 4_000));
    expect(effects).toContainEqual({ kind: "startTimer", timer: "retry", afterMs: 4_000 });
  });

  test("gives a first connection and an interruption different patience", () => {
    const first = callAfter(join, accepted).effects;
    expect(first).toContainEqual({ kind: "startTimer", timer: "media", afterMs: CONNECT_MS });
    const { effects } = callAfter(...connected, { kind: "mediaInterrupted", attempt: 1 });
    expect(effects).toContainEqual({ kind: "startTimer", timer: "media", afterMs: INTERRUPTED_MS });
  });

  test("a call that was never heard gives up after three tries and leaves the room", () => {
    const call = new Call(true, () => 0.5);
    call.handle(join);
    let effects: CallEffect[] = [];
    for (let attempt = 1; call.view().state === "joining" && attempt < 10; attempt += 1) {
      call.handle({ kind: "joinAccepted", attempt, offer: offer(1, attempt) });
      effects = call.handle({ kind: "timeout", timer: "media" });
      call.handle({ kind: "timeout", timer: "retry" });
    }
    expect(call.view().failure).toEqual({ kind: "mediaUnreachable" } satisfies CallFailure);
    expect(kinds(effects)).toContain("requestLeave");
  });

  test("a call that was heard waits longer each time and then gives up", () => {
    const { call } = callAfter(...connected, { kind: "mediaFailed", attempt: 1 });
    const waits: number[] = [];
    for (let attempt = 2; call.view().state === "reconnecting" && attempt < 50; attempt += 1) {
      call.handle({ kind: "timeout", timer: "retry" });
      const effects = call.handle({ kind: "joinRefused", attempt, refusal: refusal("noNode") });
      for (const effect of effects) if (effect.kind === "startTimer") waits.push(effect.afterMs);
    }
    expect(waits).toHaveLength(10);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    expect(waits.at(-1)).toBe(7_500);
    expect(call.view().state).toBe("failed");
  });
});

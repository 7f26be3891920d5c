import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { MessageSchema, ParticipantSchema } from "#proto/model";
import { EventSchema, WelcomeSchema } from "#proto/socket";
import { reduce, type ServerState, speakerKey, unknownServer } from "./serverState.ts";

type EventInit = NonNullable<MessageInitShape<typeof EventSchema>["event"]>;

function event(state: ServerState, init: EventInit): ServerState {
  return reduce(state, { kind: "event", event: create(EventSchema, { event: init }) });
}

function welcome(state: ServerState, init: MessageInitShape<typeof WelcomeSchema>): ServerState {
  return reduce(state, { kind: "welcome", welcome: create(WelcomeSchema, init) });
}

function message(messageId: bigint, text = `m${messageId}`, editedAtMs = 0n) {
  return create(MessageSchema, { messageId, channelId: "c", memberId: "a", text, editedAtMs });
}

function page(state: ServerState, ids: bigint[], hasOlder = false): ServerState {
  const messages = ids.map((id) => message(id));
  return reduce(state, { kind: "page", channelId: "c", messages, hasOlder });
}

function texts(state: ServerState): string[] {
  return state.messages.get("c")?.messages.map((m) => m.text) ?? [];
}

const entered = welcome(unknownServer, {
  server: { serverId: "s", name: "Home" },
  me: { memberId: "a", name: "Ada" },
  snapshot: {
    channels: [
      { channelId: "d", name: "Lounge", position: 2 },
      { channelId: "c", name: "general", position: 1 },
    ],
    members: [
      { memberId: "a", name: "Ada" },
      { memberId: "b", name: "Bo" },
    ],
  },
  live: { onlineMemberIds: ["a"], participants: [] },
});

describe("messages", () => {
  test("are in the order of their ids, each once, however they arrive", () => {
    let state = entered;
    for (const id of [5n, 3n, 5n, 4n]) {
      state = event(state, { case: "messageCreated", value: message(id) });
    }
    state = page(state, [1n, 2n, 3n]);
    expect(texts(state)).toEqual(["m1", "m2", "m3", "m4", "m5"]);
  });

  test("that arrived while the first page was on its way are kept", () => {
    const early = event(entered, { case: "messageCreated", value: message(9n) });
    expect(early.messages.get("c")?.loaded).toBe(false);
    const state = page(early, [7n, 8n], true);
    expect(texts(state)).toEqual(["m7", "m8", "m9"]);
    expect(state.messages.get("c")).toMatchObject({ loaded: true, hasOlder: true });
  });

  test("keep the latest edit, also when an older copy comes later", () => {
    let state = page(entered, [1n]);
    state = event(state, { case: "messageEdited", value: message(1n, "second", 20n) });
    state = event(state, { case: "messageEdited", value: message(1n, "first", 10n) });
    state = page(state, [1n]);
    expect(texts(state)).toEqual(["second"]);
  });

  test("once deleted are not revived by a late copy", () => {
    let state = page(entered, [1n, 2n]);
    state = event(state, { case: "messageDeleted", value: { channelId: "c", messageId: 1n } });
    state = event(state, { case: "messageCreated", value: message(1n) });
    expect(texts(state)).toEqual(["", "m2"]);
  });

  test("of a channel that nobody opened stay bounded", () => {
    let state = entered;
    for (let id = 1n; id <= 150n; id += 1n) {
      state = event(state, { case: "messageCreated", value: message(id) });
    }
    expect(texts(state)).toHaveLength(100);
    expect(texts(state).at(-1)).toBe("m150");
  });
});

describe("a welcome", () => {
  test("that resumed keeps what is known and replaces what lives", () => {
    let state = page(entered, [1n]);
    state = event(state, { case: "presenceChanged", value: { memberId: "b", online: true } });
    state = welcome(state, { resumed: true, live: { onlineMemberIds: ["a"] } });
    expect(texts(state)).toEqual(["m1"]);
    expect(state.channels).toHaveLength(2);
    expect([...state.online]).toEqual(["a"]);
  });

  test("with a snapshot forgets everything before it", () => {
    const state = welcome(page(entered, [1n]), {
      snapshot: { channels: [{ channelId: "e" }], members: [] },
    });
    expect(texts(state)).toEqual([]);
    expect(state.channels.map((c) => c.channelId)).toEqual(["e"]);
    expect(state.members.size).toBe(0);
  });

  test("lists channels by position", () => {
    expect(entered.channels.map((c) => c.name)).toEqual(["general", "Lounge"]);
  });
});

describe("rooms", () => {
  const bo = create(ParticipantSchema, { participantId: 4, memberId: "b", channelId: "d" });

  test("a participant is known once, with its latest state", () => {
    let state = event(entered, { case: "participantJoined", value: bo });
    state = event(state, { case: "participantJoined", value: bo });
    state = event(state, { case: "participantUpdated", value: { ...bo, muted: true } });
    expect(state.participants).toMatchObject([{ participantId: 4, muted: true }]);
  });

  test("who leaves no longer speaks", () => {
    let state = event(entered, { case: "participantJoined", value: bo });
    const speech = { channelId: "d", participantId: 4 };
    state = event(state, { case: "speakingChanged", value: { ...speech, speaking: true } });
    expect(state.speaking.has(speakerKey("d", 4))).toBe(true);
    state = event(state, { case: "participantLeft", value: speech });
    expect(state.participants).toEqual([]);
    expect(state.speaking.size).toBe(0);
  });

  test("a deleted channel takes its room and messages along", () => {
    let state = event(entered, { case: "participantJoined", value: bo });
    state = event(state, { case: "channelDeleted", value: { channelId: "d" } });
    expect(state.channels.map((c) => c.channelId)).toEqual(["c"]);
    expect(state.participants).toEqual([]);
  });
});

test("signing out leaves nothing for the next person", () => {
  const phase = { kind: "signedOut", why: "left" } as const;
  const state = reduce(page(entered, [1n]), { kind: "phase", phase });
  expect(state).toEqual({ ...unknownServer, phase });
});

test("my own role follows the member event", () => {
  const member = { memberId: "a", name: "Ada", role: 2, serverMuted: true };
  expect(event(entered, { case: "memberUpdated", value: member }).me?.serverMuted).toBe(true);
});

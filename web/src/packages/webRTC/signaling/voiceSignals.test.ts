import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Reason } from "#proto/reason";
import {
  EventSchema,
  RefusalSchema,
  VoiceEnd,
  VoiceOfferSchema,
  WelcomeSchema,
} from "#proto/socket";
import type { Outcome, Request, ServerConnection } from "#socket";
import { performRequest, readNotice } from "./voiceSignals.ts";

const offer = { channelId: "lounge", participantId: 7, revision: 1, sdp: "v=0" };

/** A connection that answers every request with `outcome` and keeps what was asked. */
function answering(outcome: Outcome): { link: ServerConnection; asked: Request[] } {
  const asked: Request[] = [];
  const link: ServerConnection = {
    address: "https://chat.example.org",
    phase: () => ({ kind: "connected" }),
    request: async (request) => {
      asked.push(request);
      return outcome;
    },
    subscribe: () => () => undefined,
  };
  return { link, asked };
}

function refused(reason: Reason): Outcome {
  return { case: "refusal", value: create(RefusalSchema, { reason, retryAfterMs: 300 }) };
}

const requestJoin = {
  kind: "requestJoin",
  attempt: 3,
  channelId: "lounge",
  listenOnly: true,
  flags: { muted: true, deafened: false },
} as const;

const sendAnswer = {
  kind: "sendAnswer",
  attempt: 3,
  channelId: "lounge",
  revision: 2,
  sdp: "v=0",
} as const;

describe("requests", () => {
  test("a join carries the flags and brings the offer", async () => {
    const value = create(VoiceOfferSchema, offer);
    const { link, asked } = answering({ case: "voiceOffer", value });
    const event = await performRequest(link, requestJoin);
    expect(event).toMatchObject({ kind: "joinAccepted", attempt: 3, offer });
    expect(asked).toEqual([
      {
        case: "joinVoice",
        value: { channelId: "lounge", listenOnly: true, muted: true, deafened: false },
      },
    ]);
  });

  test.each([
    [Reason.ROOM_FULL, "roomFull"],
    [Reason.NO_NODE, "noNode"],
    [Reason.UNKNOWN_CHANNEL, "channelGone"],
    [Reason.WRONG_CHANNEL_KIND, "other"],
    [99 as Reason, "other"],
  ])("reason %d refuses a join as %s", async (reason, cause) => {
    const event = await performRequest(answering(refused(reason)).link, requestJoin);
    expect(event).toMatchObject({ kind: "joinRefused", refusal: { cause, retryAfterMs: 300 } });
  });

  test("a join without the expected reply is tried again", async () => {
    const event = await performRequest(answering({ case: "lost" }).link, requestJoin);
    expect(event).toMatchObject({ kind: "joinRefused", refusal: { cause: "server" } });
  });

  test("flags tell whether the server still knows the seat", async () => {
    const flags = { muted: true, deafened: false };
    const sendFlags = { kind: "sendFlags", attempt: 3, flags } as const;
    const tell = (outcome: Parameters<typeof answering>[0]) =>
      performRequest(answering(outcome).link, sendFlags);
    expect(await tell(refused(Reason.NOT_IN_ROOM))).toEqual({ kind: "seatUnknown", attempt: 3 });
    expect(await tell(refused(Reason.RATE_LIMITED))).toBeUndefined();
    expect(await tell({ case: "lost" })).toBeUndefined();
  });

  test("an answer is accepted, refused, or left to the resume", async () => {
    const accepted = await performRequest(
      answering({ case: "done", value: {} as never }).link,
      sendAnswer,
    );
    expect(accepted).toEqual({ kind: "answerAccepted", attempt: 3, revision: 2 });
    const stale = await performRequest(answering(refused(Reason.STALE_OFFER)).link, sendAnswer);
    expect(stale).toMatchObject({ kind: "answerRefused", refusal: { cause: "staleOffer" } });
    expect(await performRequest(answering({ case: "lost" }).link, sendAnswer)).toBeUndefined();
  });
});

describe("notices", () => {
  test("any phase but connected is a lost socket", () => {
    const lost = { kind: "phase", phase: { kind: "connecting" } } as const;
    const connected = { kind: "phase", phase: { kind: "connected" } } as const;
    expect(readNotice(lost)).toEqual({ kind: "socketLost" });
    expect(readNotice(connected)).toBeUndefined();
  });

  test("a welcome tells which seats there are", () => {
    const welcome = create(WelcomeSchema, {
      live: { participants: [{ channelId: "lounge", participantId: 7, memberId: "a" }] },
    });
    expect(readNotice({ kind: "welcome", welcome })).toMatchObject({
      kind: "socketResumed",
      seats: [{ channelId: "lounge", participantId: 7 }],
    });
  });

  test("offers, ends and deleted channels are about calls, messages are not", () => {
    const told = (event: NonNullable<Parameters<typeof create<typeof EventSchema>>[1]>["event"]) =>
      readNotice({
        kind: "event",
        event: create(EventSchema, event === undefined ? {} : { event }),
      });
    expect(told({ case: "voiceOffer", value: offer })).toMatchObject({ kind: "offered", offer });
    expect(
      told({ case: "voiceEnded", value: { channelId: "lounge", end: VoiceEnd.REPLACED } }),
    ).toEqual({ kind: "seatEnded", channelId: "lounge", end: "replaced" });
    expect(
      told({ case: "voiceEnded", value: { channelId: "lounge", end: 77 as VoiceEnd } }),
    ).toMatchObject({ end: "mediaLost" });
    expect(told({ case: "channelDeleted", value: { channelId: "lounge" } })).toMatchObject({
      end: "channelDeleted",
    });
    expect(told({ case: "messageCreated", value: {} })).toBeUndefined();
  });
});

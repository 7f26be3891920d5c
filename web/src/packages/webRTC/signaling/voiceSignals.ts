// Between the machine of a call and the server's connection: requests out, events in.

import type { Participant } from "#proto/model";
import type { ConnectionNotice, Outcome, ServerConnection } from "#socket";
import type { CallEffect, CallEvent, Refusal } from "../connection/callTypes.ts";
import { readEnd, readRefusal } from "./refusals.ts";

/** A server's connection with what is known about its rooms and who one is there. */
export type VoiceLink = ServerConnection & {
  state(): {
    readonly me: { readonly memberId: string } | undefined;
    readonly participants: readonly Participant[];
  };
};

/** What a call needs to be told of a notice; undefined for everything that is not about it. */
export function readNotice(notice: ConnectionNotice): CallEvent | undefined {
  switch (notice.kind) {
    case "phase":
      return notice.phase.kind === "connected" ? undefined : { kind: "socketLost" };
    case "welcome":
      return { kind: "socketResumed", seats: notice.welcome.live?.participants ?? [] };
    case "event":
      return readEvent(notice.event.event);
  }
}

type WireEvent = Extract<ConnectionNotice, { kind: "event" }>["event"]["event"];

function readEvent(event: WireEvent): CallEvent | undefined {
  if (event.case === "voiceOffer") return { kind: "offered", offer: event.value };
  if (event.case === "voiceEnded") {
    return { kind: "seatEnded", channelId: event.value.channelId, end: readEnd(event.value.end) };
  }
  if (event.case === "channelDeleted") {
    return { kind: "seatEnded", channelId: event.value.channelId, end: "channelDeleted" };
  }
  return undefined;
}

/** For a reply that was lost or was none of those asked for: trying again is right for both. */
const UNEXPECTED: Refusal = {
  cause: "server",
  message: "The server did not reply as expected.",
  retryAfterMs: 0,
};

function refusalOf(outcome: Outcome): Refusal | undefined {
  return outcome.case === "refusal" ? readRefusal(outcome.value) : undefined;
}

/**
 * Sends what an effect asks for and returns what came of it. An answer that the socket lost has
 * no event: it is sent again after the resume.
 */
export async function performRequest(
  link: ServerConnection,
  effect: Extract<
    CallEffect,
    { kind: "requestJoin" | "requestLeave" | "sendAnswer" | "sendFlags" }
  >,
): Promise<CallEvent | undefined> {
  switch (effect.kind) {
    case "requestJoin":
      return requestJoin(link, effect);
    case "sendAnswer":
      return sendAnswer(link, effect);
    case "requestLeave":
      await link.request({ case: "leaveVoice", value: {} });
      return undefined;
    case "sendFlags":
      return sendFlags(link, effect);
  }
}

async function sendFlags(
  link: ServerConnection,
  { attempt, flags }: Extract<CallEffect, { kind: "sendFlags" }>,
): Promise<CallEvent | undefined> {
  const outcome = await link.request({ case: "setVoiceState", value: flags });
  const isUnknown = refusalOf(outcome)?.cause === "notInRoom";
  return isUnknown ? { kind: "seatUnknown", attempt } : undefined;
}

async function requestJoin(
  link: ServerConnection,
  effect: Extract<CallEffect, { kind: "requestJoin" }>,
): Promise<CallEvent | undefined> {
  const { attempt, channelId, listenOnly, flags } = effect;
  const outcome = await link.request({
    case: "joinVoice",
    value: { channelId, listenOnly, ...flags },
  });
  if (outcome.case === "voiceOffer") return { kind: "joinAccepted", attempt, offer: outcome.value };
  return { kind: "joinRefused", attempt, refusal: refusalOf(outcome) ?? UNEXPECTED };
}

async function sendAnswer(
  link: ServerConnection,
  effect: Extract<CallEffect, { kind: "sendAnswer" }>,
): Promise<CallEvent | undefined> {
  const { attempt, channelId, revision, sdp } = effect;
  const outcome = await link.request({ case: "answerOffer", value: { channelId, revision, sdp } });
  if (outcome.case === "lost") return undefined;
  if (outcome.case === "done") return { kind: "answerAccepted", attempt, revision };
  const refusal = refusalOf(outcome) ?? UNEXPECTED;
  return { kind: "answerRefused", attempt, revision, refusal };
}

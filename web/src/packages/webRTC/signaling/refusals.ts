// The server's reasons, as far as a call goes on differently.

import { Reason } from "#proto/reason";
import type { Refusal as WireRefusal } from "#proto/socket";
import { VoiceEnd } from "#proto/socket";
import type { Refusal, SeatEnd } from "../connection/callTypes.ts";

const CAUSES: Partial<Record<Reason, Refusal["cause"]>> = {
  [Reason.FORBIDDEN]: "forbidden",
  [Reason.ROOM_FULL]: "roomFull",
  [Reason.UNKNOWN_CHANNEL]: "channelGone",
  [Reason.NO_NODE]: "noNode",
  [Reason.RATE_LIMITED]: "rateLimited",
  [Reason.INTERNAL]: "server",
  [Reason.GOING_AWAY]: "server",
  [Reason.NOT_IN_ROOM]: "notInRoom",
  [Reason.BAD_ANSWER]: "badAnswer",
  [Reason.STALE_OFFER]: "staleOffer",
};

/** Reads a refusal. */
export function readRefusal({ reason, message, retryAfterMs }: WireRefusal): Refusal {
  return { cause: CAUSES[reason] ?? "other", message, retryAfterMs };
}

/** Reads why a seat ended. What a newer server may say is treated as lost media: join again. */
export function readEnd(end: VoiceEnd): SeatEnd {
  switch (end) {
    case VoiceEnd.CHANNEL_DELETED:
      return "channelDeleted";
    case VoiceEnd.NODE_LOST:
      return "nodeLost";
    case VoiceEnd.REPLACED:
      return "replaced";
    case VoiceEnd.MEDIA_LOST:
    case VoiceEnd.UNSPECIFIED:
      return "mediaLost";
    default:
      return "mediaLost";
  }
}

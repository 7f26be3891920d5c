// Reasons of a server in words for a person: what happened and what to do.

import { Reason } from "#proto/reason";
import type { Refusal } from "#proto/socket";

const sentences: Partial<Record<Reason, string>> = {
  [Reason.FORBIDDEN]: "You may not do this on this server.",
  [Reason.RATE_LIMITED]: "That was too much at once. Wait a moment and try again.",
  [Reason.UNKNOWN_CHANNEL]: "This channel no longer exists.",
  [Reason.UNKNOWN_MESSAGE]: "This message no longer exists.",
  [Reason.UNKNOWN_MEMBER]: "This person is no longer a member.",
  [Reason.EMPTY_TEXT]: "There is nothing to send.",
  [Reason.TEXT_TOO_LONG]: "The message is longer than 4,000 characters.",
  [Reason.TOO_LARGE]: "That is more than the server accepts.",
  [Reason.NONCE_REUSED]:
    "The server has another message in this one's place. Discard it and write anew.",
  [Reason.ROOM_FULL]: "The channel is full.",
  [Reason.NO_NODE]: "Voice is not available at the moment. Try again shortly.",
  [Reason.UNKNOWN_INVITE]: "This invite is over already.",
  [Reason.TOO_MANY_INVITES]: "There are too many open invites. Revoke one first.",
  [Reason.NO_INVITES]: "The accounts of this server are made elsewhere.",
  [Reason.ISSUER_UNAVAILABLE]: "The sign-in service does not answer. Try again shortly.",
  [Reason.NO_FILES]: "This server keeps no files.",
  [Reason.FILE_SIZE]: "The file is empty or too large for this server.",
  [Reason.WRONG_FILE_TYPE]: "The file is not what its name says.",
  [Reason.TOO_MANY_FILES]: "A message has at most 10 files.",
  [Reason.UNKNOWN_FILE]: "The file is no longer there. Attach it again.",
  [Reason.INTERNAL]: "The server failed. Try again.",
};

/** One sentence for a refusal. */
export function explainRefusal(refusal: Refusal): string {
  return sentences[refusal.reason] ?? (refusal.message || "The server refused.");
}

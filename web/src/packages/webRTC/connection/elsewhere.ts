// The same person's call on another device or tab.

import type { Participant } from "#proto/model";
import type { VoiceFlags } from "./callTypes.ts";

/** What that one tells others of itself; undefined: there is none. */
export function flagsElsewhere(
  participants: readonly Participant[],
  myMemberId: string | undefined,
): VoiceFlags | undefined {
  const mine = participants.find(({ memberId }) => memberId === myMemberId);
  if (mine === undefined) return undefined;
  // Who only listens there counts as muted, and may have a microphone here.
  return { muted: mine.muted && !mine.listenOnly, deafened: mine.deafened };
}

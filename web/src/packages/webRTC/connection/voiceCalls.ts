// The calls of this page: one per server at most, and one at a time over all of them.

import { microphone, Playback } from "#audio";
import type { VoiceLink } from "../signaling/voiceSignals.ts";
import { VoiceCall } from "./voiceCall.ts";

const calls = new Map<VoiceLink, VoiceCall>();

/** The call of a server. It outlives the components that show it. */
export function voiceCallOf(link: VoiceLink): VoiceCall {
  let call = calls.get(link);
  if (call === undefined) {
    call = new VoiceCall(link, microphone, new Playback());
    calls.set(link, call);
  }
  return call;
}

/** Joins a channel and leaves every other server's: a person has one mouth. */
export function joinOnly(link: VoiceLink, channelId: string): void {
  for (const [other, call] of calls) if (other !== link) call.feed({ kind: "leave" });
  voiceCallOf(link).join(channelId);
}

/** Ends the call of a server that is taken out of the client. */
export function dropVoiceCall(link: VoiceLink): void {
  calls.get(link)?.feed({ kind: "leave" });
  calls.delete(link);
}

// A closed page would stay in the room until its silence is noticed.
globalThis.addEventListener?.("pagehide", () => {
  for (const call of calls.values()) call.feed({ kind: "leave" });
});

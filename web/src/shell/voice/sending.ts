// Whether what this person says goes anywhere.

import type { VoiceSession } from "#socket";

type Silence = Pick<VoiceSession, "muted" | "deafened" | "listenOnly">;

/** `serverMuted`: a moderator silenced the person; only a moderator ends that. */
export function isSending(voice: Silence, serverMuted: boolean): boolean {
  return !voice.muted && !voice.deafened && !voice.listenOnly && !serverMuted;
}

// The keyboard shortcuts of a call. Mounted once for each server; acts on the one that has a call.

import type { ServerLink } from "#socket";
import { useSFU } from "#webRTC";
import { type Shortcut, useShortcuts } from "../shortcuts.ts";

export function VoiceShortcuts(props: { link: ServerLink }) {
  const voice = useSFU(props.link);
  useShortcuts((shortcut: Shortcut) => {
    if (voice.state === "idle") return;
    if (shortcut === "mute" && !voice.listenOnly) voice.setMuted(!voice.muted);
    if (shortcut === "deafen") voice.setDeafened(!voice.deafened);
    if (shortcut === "leave") void voice.leave();
  });
  return null;
}

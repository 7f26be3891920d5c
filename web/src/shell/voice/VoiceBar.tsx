// The call in progress, wherever in the client one is: where it is, how it is, and its controls.

import { HeadphoneOff, Headphones, Mic, MicOff, PhoneOff, Settings, Signal } from "lucide-react";
import { usePlaybackStatus } from "#audio";
import {
  type ServerLink,
  useServerState,
  type VoiceError,
  type VoicePhase,
  type VoiceSession,
} from "#socket";
import { Button, IconButton } from "#ui";
import { useSFU } from "#webRTC";
import { selectChannel } from "../navigation.ts";
import { useServerName } from "../servers/ServerRail.tsx";
import { isSending } from "./sending.ts";

const phaseLabels: Record<VoicePhase, string> = {
  idle: "",
  joining: "Connecting…",
  connected: "In voice",
  reconnecting: "Reconnecting…",
  failed: "Not connected",
};

/** What somebody is told whom a moderator muted. */
export const silencedText = "A moderator muted you: nobody hears you.";

/** The words on the button that tries a failed call again. */
export function retryLabel(error: VoiceError): string {
  return error.retryLabel ?? "Try again";
}

/** Whether a moderator muted this person on the server. */
export function useServerMuted(link: ServerLink): boolean {
  return useServerState(link, (s) => s.me?.serverMuted ?? false);
}

/** Stands for each server and shows itself on the one that has a call. */
export function VoiceBar(props: { link: ServerLink; onSettings: () => void; onShow: () => void }) {
  const { link } = props;
  const voice = useSFU(link);
  const channel = useServerState(link, (s) =>
    s.channels.find((candidate) => candidate.channelId === voice.channelId),
  );
  const serverName = useServerName(link);
  const serverMuted = useServerMuted(link);
  const isServerHere = useServerState(link, (s) => s.phase.kind === "connected");
  const playback = usePlaybackStatus();
  if (voice.state === "idle") return null;
  const show = () => {
    if (voice.channelId) selectChannel(link.address, voice.channelId);
    props.onShow();
  };
  return (
    <section className="voice-bar" aria-label="Voice connection" data-state={voice.state}>
      <button type="button" className="voice-place" onClick={show}>
        <span className="voice-state" role="status">
          <Signal size={15} aria-hidden="true" />
          {phaseLabels[voice.state]}
          {/* A browser repeats the last figure of a path that is dead. */}
          {isServerHere && voice.state === "connected" && voice.stats.roundTripMs !== undefined && (
            <span className="voice-ping">{Math.round(voice.stats.roundTripMs)} ms</span>
          )}
        </span>
        <span className="voice-where">
          {channel?.name ?? "Voice"} · {serverName}
        </span>
      </button>
      {playback === "blocked" && (
        <p className="voice-hint" role="alert">
          The browser holds the sound back. Click anywhere to hear.
        </p>
      )}
      {serverMuted && voice.state !== "failed" && (
        <p className="voice-hint" role="status">
          {silencedText}
        </p>
      )}
      {voice.error && (
        <p className="voice-hint" role="alert">
          {voice.error.message}
        </p>
      )}
      {voice.state === "failed" && voice.error?.canRetry && voice.channelId && (
        <Button onClick={() => voice.channelId && void voice.join(voice.channelId)}>
          {retryLabel(voice.error)}
        </Button>
      )}
      <VoiceControls voice={voice} serverMuted={serverMuted} onSettings={props.onSettings} />
    </section>
  );
}

/** Mute, deafen, settings, leave. */
export function VoiceControls(props: {
  voice: VoiceSession;
  serverMuted: boolean;
  onSettings: () => void;
}) {
  const { voice, serverMuted } = props;
  return (
    <div className="voice-controls" role="toolbar" aria-label="Voice controls">
      <IconButton
        label={voice.muted ? "Unmute microphone" : "Mute microphone"}
        shortcut="Ctrl+Shift+M"
        aria-pressed={voice.muted}
        data-silenced={serverMuted}
        disabled={voice.listenOnly}
        onClick={() => voice.setMuted(!voice.muted)}
      >
        {isSending(voice, serverMuted) ? <Mic size={19} /> : <MicOff size={19} />}
      </IconButton>
      <IconButton
        label={voice.deafened ? "Undeafen" : "Deafen"}
        shortcut="Ctrl+Shift+D"
        aria-pressed={voice.deafened}
        onClick={() => voice.setDeafened(!voice.deafened)}
      >
        {voice.deafened ? <HeadphoneOff size={19} /> : <Headphones size={19} />}
      </IconButton>
      <IconButton label="Voice settings" onClick={props.onSettings}>
        <Settings size={19} />
      </IconButton>
      <IconButton
        label="Leave voice"
        shortcut="Ctrl+Shift+H"
        tone="danger"
        onClick={() => void voice.leave()}
      >
        <PhoneOff size={19} />
      </IconButton>
    </div>
  );
}

// A voice channel: everyone in it as tiles, and how to get in.

import { Headphones, ShieldBan, Volume2 } from "lucide-react";
import { useRef } from "react";
import { useOwnRing } from "#audio";
import type { Channel, Participant } from "#proto/model";
import { type ServerLink, useServerState, type VoiceSession } from "#socket";
import { Avatar, Blank, Button, Loading, Notice } from "#ui";
import { useSpeaking, VoiceMarks } from "../channels/ChannelList.tsx";
import { MemberMenu } from "../members/MemberMenu.tsx";
import { isSending } from "./sending.ts";
import { retryLabel, silencedText, useServerMuted, VoiceControls } from "./VoiceBar.tsx";

export function VoiceView(props: {
  link: ServerLink;
  voice: VoiceSession;
  channel: Channel;
  onSettings: () => void;
}) {
  const { link, voice, channel } = props;
  const all = useServerState(link, (s) => s.participants);
  const people = all.filter((participant) => participant.channelId === channel.channelId);
  const isHere = voice.channelId === channel.channelId && voice.state !== "idle";
  const serverMuted = useServerMuted(link);
  const join = () => void voice.join(channel.channelId);

  return (
    <section className="voice" aria-label={`Voice channel ${channel.name}`}>
      {isHere && voice.error && (
        <Notice tone={voice.state === "failed" ? "bad" : "warn"}>
          {voice.error.message}
          {voice.error.canRetry && <Button onClick={join}>{retryLabel(voice.error)}</Button>}
        </Notice>
      )}
      {isHere && voice.state === "reconnecting" && (
        <Notice>The connection to the channel was lost. Reconnecting…</Notice>
      )}
      {isHere && voice.listenOnly && voice.state === "connected" && (
        <Notice tone="quiet">
          <Headphones size={16} aria-hidden="true" />
          You are listening without a microphone.
        </Notice>
      )}
      {isHere && serverMuted && voice.state !== "failed" && (
        <Notice tone="quiet">
          <ShieldBan size={16} aria-hidden="true" className="mark-bad" />
          {silencedText}
        </Notice>
      )}
      <VoiceBody {...props} people={people} isHere={isHere} onJoin={join} />
      {isHere && voice.state !== "failed" && (
        <div className="voice-dock">
          <VoiceControls voice={voice} serverMuted={serverMuted} onSettings={props.onSettings} />
        </div>
      )}
    </section>
  );
}

function VoiceBody(props: {
  link: ServerLink;
  voice: VoiceSession;
  channel: Channel;
  people: readonly Participant[];
  isHere: boolean;
  onJoin: () => void;
}) {
  const { link, voice, channel, people, isHere } = props;
  if (isHere && voice.state === "joining" && people.length === 0) {
    return <Loading label={`Joining ${channel.name}…`} />;
  }
  if (people.length === 0) {
    return (
      <Blank
        icon={<Volume2 size={26} />}
        title={`Nobody is in ${channel.name}`}
        actions={
          <Button tone="accent" onClick={props.onJoin}>
            Join {channel.name}
          </Button>
        }
      >
        <p>Join and talk; the others see that you are here.</p>
      </Blank>
    );
  }
  return (
    <>
      <ul className="tiles" data-count={Math.min(people.length, 9)} aria-label="People in voice">
        {people.map((participant) => (
          <li key={participant.participantId}>
            <Tile link={link} voice={voice} participant={participant} />
          </li>
        ))}
      </ul>
      {!isHere && (
        <div className="voice-dock">
          <Button tone="accent" onClick={props.onJoin}>
            Join {channel.name}
          </Button>
        </div>
      )}
    </>
  );
}

function Tile(props: { link: ServerLink; voice: VoiceSession; participant: Participant }) {
  const { link, voice, participant } = props;
  const member = useServerState(link, (s) => s.members.get(participant.memberId));
  const speaking = useSpeaking(link, voice, participant);
  const isMe = voice.participantId === participant.participantId && voice.state === "connected";
  const tile = useRef<HTMLButtonElement>(null);
  const serverMuted = member?.serverMuted ?? false;
  useOwnRing(tile, isMe && isSending(voice, serverMuted));
  const name = member?.name ?? "Unknown";
  return (
    <MemberMenu link={link} voice={voice} memberId={participant.memberId}>
      <button ref={tile} type="button" className="tile" data-speaking={speaking} data-me={isMe}>
        <Avatar id={participant.memberId} name={name} speaking={speaking} />
        <span className="tile-name">
          <span>{name}</span>
          <VoiceMarks participant={participant} serverMuted={serverMuted} />
        </span>
        {speaking && <span className="visually-hidden">speaking</span>}
      </button>
    </MemberMenu>
  );
}

// The channels of a server, with the people in voice under each voice channel.

import { Hash, HeadphoneOff, MicOff, Pencil, Plus, ShieldBan, Volume2 } from "lucide-react";
import { useState } from "react";
import { readUpTo, unreadCount } from "#chat";
import { type Channel, ChannelKind, type Participant } from "#proto/model";
import { useSettings } from "#settings";
import { permits, type ServerLink, speakerKey, useServerState, type VoiceSession } from "#socket";
import { Avatar, IconButton } from "#ui";
import { MemberMenu } from "../members/MemberMenu.tsx";
import { ChannelDialog } from "./ChannelDialog.tsx";

export function ChannelList(props: {
  link: ServerLink;
  voice: VoiceSession;
  selected: Channel | undefined;
  onSelect: (channel: Channel) => void;
  /** Shows a channel, and joins none. */
  onShow: (channel: Channel) => void;
}) {
  const { link } = props;
  const channels = useServerState(link, (s) => s.channels);
  const me = useServerState(link, (s) => s.me);
  const [dialog, setDialog] = useState<Channel | ChannelKind | undefined>();
  const mayManage = permits(me, "manageChannels");
  const groups = [
    { kind: ChannelKind.TEXT, label: "Text channels" },
    { kind: ChannelKind.VOICE, label: "Voice channels" },
  ];
  return (
    <nav className="channels" aria-label="Channels">
      {groups.map(({ kind, label }) => (
        <section key={kind} aria-label={label}>
          <div className="channels-head">
            <h2>{label}</h2>
            {mayManage && (
              <IconButton
                label={kind === ChannelKind.TEXT ? "New text channel" : "New voice channel"}
                size="small"
                onClick={() => setDialog(kind)}
              >
                <Plus size={16} />
              </IconButton>
            )}
          </div>
          <ul>
            {channels
              .filter((channel) => channel.kind === kind)
              .map((channel) => (
                <ChannelItem
                  key={channel.channelId}
                  {...props}
                  channel={channel}
                  isSelected={channel.channelId === props.selected?.channelId}
                  onEdit={mayManage ? () => setDialog(channel) : undefined}
                />
              ))}
          </ul>
          {!channels.some((channel) => channel.kind === kind) && (
            <p className="channels-none">None yet.</p>
          )}
        </section>
      ))}
      <ChannelDialog
        link={link}
        subject={dialog}
        onMade={props.onShow}
        onClose={() => setDialog(undefined)}
      />
    </nav>
  );
}

function ChannelItem(props: {
  link: ServerLink;
  voice: VoiceSession;
  channel: Channel;
  isSelected: boolean;
  onSelect: (channel: Channel) => void;
  onEdit: (() => void) | undefined;
}) {
  const { link, channel, isSelected, voice } = props;
  const readId = useSettings((s) => readUpTo(s, link.address, channel.channelId));
  const unread = useServerState(link, (s) => unreadCount(s, channel.channelId, readId));
  const isVoice = channel.kind === ChannelKind.VOICE;
  const isJoined = isVoice && voice.channelId === channel.channelId && voice.state !== "failed";
  return (
    <li>
      <div className="channel" data-selected={isSelected} data-joined={isJoined}>
        <button
          type="button"
          className="channel-button"
          aria-current={isSelected ? "page" : undefined}
          data-unread={unread > 0}
          onClick={() => props.onSelect(channel)}
        >
          {isVoice ? (
            <Volume2 size={18} aria-hidden="true" />
          ) : (
            <Hash size={18} aria-hidden="true" />
          )}
          <span className="channel-name">{channel.name}</span>
          {isVoice && <span className="visually-hidden">, voice channel</span>}
          {unread > 0 && (
            <span className="badge">
              {unread > 99 ? "99+" : unread}
              <span className="visually-hidden"> unread</span>
            </span>
          )}
        </button>
        {props.onEdit && (
          <IconButton label={`Edit ${channel.name}`} size="small" onClick={props.onEdit}>
            <Pencil size={15} />
          </IconButton>
        )}
      </div>
      {isVoice && <VoicePeople link={link} voice={voice} channel={channel} />}
    </li>
  );
}

function VoicePeople(props: { link: ServerLink; voice: VoiceSession; channel: Channel }) {
  const { link, channel, voice } = props;
  const all = useServerState(link, (s) => s.participants);
  const people = all.filter((participant) => participant.channelId === channel.channelId);
  if (people.length === 0) return null;
  return (
    <ul className="voice-people" aria-label={`In ${channel.name}`}>
      {people.map((participant) => (
        <li key={participant.participantId}>
          <VoicePerson link={link} voice={voice} participant={participant} />
        </li>
      ))}
    </ul>
  );
}

/**
 * Whether a participant is heard: by what this device hears where it listens, else by the server;
 * a server that is gone says nothing.
 */
export function useSpeaking(
  link: ServerLink,
  voice: VoiceSession,
  { channelId, participantId }: Participant,
): boolean {
  const reported = useServerState(
    link,
    (s) => s.phase.kind === "connected" && s.speaking.has(speakerKey(channelId, participantId)),
  );
  const isHere = voice.state === "connected" && voice.channelId === channelId;
  return isHere ? voice.speaking.has(participantId) || reported : reported;
}

function VoicePerson(props: { link: ServerLink; voice: VoiceSession; participant: Participant }) {
  const { link, voice, participant } = props;
  const member = useServerState(link, (s) => s.members.get(participant.memberId));
  const speaking = useSpeaking(link, voice, participant);
  const name = member?.name ?? "Unknown";
  return (
    <MemberMenu link={link} voice={voice} memberId={participant.memberId}>
      <button type="button" className="voice-person" data-speaking={speaking}>
        <Avatar id={participant.memberId} name={name} size={24} speaking={speaking} />
        <span className="voice-person-name">{name}</span>
        <VoiceMarks participant={participant} serverMuted={member?.serverMuted ?? false} />
        {speaking && <span className="visually-hidden">speaking</span>}
      </button>
    </MemberMenu>
  );
}

/** Muted, deafened, silenced by a moderator. */
export function VoiceMarks(props: { participant: Participant; serverMuted: boolean }) {
  const { participant, serverMuted } = props;
  return (
    <span className="voice-marks">
      {serverMuted ? (
        <ShieldBan size={15} role="img" aria-label="muted by a moderator" className="mark-bad" />
      ) : (
        (participant.muted || participant.listenOnly) && (
          <MicOff
            size={15}
            role="img"
            aria-label={participant.listenOnly ? "listening only" : "muted"}
          />
        )
      )}
      {participant.deafened && <HeadphoneOff size={15} role="img" aria-label="deafened" />}
    </span>
  );
}

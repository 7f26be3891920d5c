// One server: its channels, what is in front, its members.

import { ChevronLeft, Hash, UserPlus, Users, Volume2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { ChatView } from "#chat";
import { type Channel, ChannelKind } from "#proto/model";
import { settings, useSettings } from "#settings";
import { permits, type ServerLink, useServerState, type VoiceSession } from "#socket";
import { Blank, Button, IconButton, Notice } from "#ui";
import { useSFU } from "#webRTC";
import { ChannelList } from "./channels/ChannelList.tsx";
import { InviteDialog } from "./invites/InviteDialog.tsx";
import { MemberList } from "./members/MemberList.tsx";
import { type Pane, selectChannel, useChosenChannel } from "./navigation.ts";
import { SelfCard } from "./SelfCard.tsx";
import { RetryCountdown } from "./servers/RetryCountdown.tsx";
import { useServerName } from "./servers/ServerRail.tsx";
import { ConnectingScreen, SignInScreen, StoppedScreen } from "./servers/ServerScreens.tsx";
import { usePrefetch } from "./servers/usePrefetch.ts";
import { VoiceView } from "./voice/VoiceView.tsx";

export function ServerView(props: {
  link: ServerLink;
  pane: Pane;
  onPane: (pane: Pane) => void;
  onSettings: (page: string) => void;
  voiceBar: ReactNode;
}) {
  const { link, onPane } = props;
  const voice = useSFU(link);
  const name = useServerName(link);
  const phase = useServerState(link, (s) => s.phase);
  const isKnown = useServerState(link, (s) => s.server !== undefined);
  const channels = useServerState(link, (s) => s.channels);
  const channel = useChosenChannel(link.address, channels);
  const showMembers = useSettings((s) => s.showMembers);
  const mayInvite = useServerState(link, (s) => s.hasInvites && permits(s.me, "invite"));
  const [inviting, setInviting] = useState(false);
  usePrefetch(link);
  // On a phone this pane is alone, and a page has one heading of the first level.
  const MembersTitle = props.pane === "members" ? "h1" : "h2";

  const show = (next: Channel) => {
    selectChannel(link.address, next.channelId);
    onPane("main");
  };
  const select = (next: Channel) => {
    show(next);
    const isElsewhere = voice.channelId !== next.channelId || voice.state === "idle";
    if (next.kind === ChannelKind.VOICE && isElsewhere) void voice.join(next.channelId);
  };

  const screen = screenFor(link, phase, isKnown);
  if (screen) {
    return (
      <div className="screen">
        <div className="screen-bar">
          <IconButton label="Servers" className="icon-button" onClick={() => onPane("channels")}>
            <ChevronLeft size={20} />
          </IconButton>
        </div>
        {screen}
        {props.voiceBar}
      </div>
    );
  }
  return (
    <>
      <section className="sidebar" aria-label={name}>
        <header className="sidebar-head">
          <h1>{name}</h1>
          {mayInvite && (
            <IconButton label="Invite people" onClick={() => setInviting(true)}>
              <UserPlus size={18} />
            </IconButton>
          )}
        </header>
        <ChannelList link={link} voice={voice} selected={channel} onSelect={select} onShow={show} />
        {props.voiceBar}
        <SelfCard link={link} voice={voice} onSettings={props.onSettings} />
        <InviteDialog link={link} open={inviting} onClose={() => setInviting(false)} />
      </section>
      <div className="main">
        <ConnectionNotice link={link} />
        <MainHead channel={channel} pane={props.pane} onPane={onPane} showMembers={showMembers} />
        <div className="main-body">
          <Front link={link} voice={voice} channel={channel} onSettings={props.onSettings} />
        </div>
        <div className="main-voice">{props.pane === "main" && props.voiceBar}</div>
      </div>
      {(showMembers || props.pane === "members") && (
        <section className="members-pane" aria-label="Members">
          <header className="members-head">
            <IconButton label="Back to the channel" onClick={() => onPane("main")}>
              <ChevronLeft size={20} />
            </IconButton>
            <MembersTitle>Members</MembersTitle>
          </header>
          <MemberList link={link} voice={voice} />
        </section>
      )}
    </>
  );
}

function screenFor(
  link: ServerLink,
  phase: ReturnType<ServerLink["phase"]>,
  isKnown: boolean,
): ReactNode {
  if (phase.kind === "signedOut") return <SignInScreen link={link} />;
  if (phase.kind === "stopped") return <StoppedScreen link={link} reason={phase.reason} />;
  return isKnown ? undefined : <ConnectingScreen link={link} />;
}

/** Written over the content, which stays readable meanwhile. */
function ConnectionNotice(props: { link: ServerLink }) {
  const phase = useServerState(props.link, (s) => s.phase);
  if (phase.kind === "connected") return null;
  return (
    <Notice>
      <span className="spinner" aria-hidden="true" />
      <span>
        {phase.kind === "reconnecting" && phase.issuerAway
          ? "The sign-in service does not answer. What you write is sent once it is back."
          : "Resuming… What you write is sent once the server is back."}{" "}
        {phase.kind === "reconnecting" && <RetryCountdown atMs={phase.retryAtMs} />}
      </span>
      <Button onClick={props.link.hurry}>Try now</Button>
    </Notice>
  );
}

function MainHead(props: {
  channel: Channel | undefined;
  pane: Pane;
  showMembers: boolean;
  onPane: (pane: Pane) => void;
}) {
  const { channel, showMembers, onPane } = props;
  const isVoice = channel?.kind === ChannelKind.VOICE;
  const toggle = () => {
    // One button for both widths: beside the channel, or instead of it.
    if (matchMedia("(max-width: 760px)").matches) onPane("members");
    else settings.update(() => ({ showMembers: !showMembers }));
  };
  return (
    <header className="main-head">
      <span className="narrow-only">
        <IconButton label="Back to the channels" onClick={() => onPane("channels")}>
          <ChevronLeft size={20} />
        </IconButton>
      </span>
      {channel &&
        (isVoice ? (
          <Volume2 size={19} aria-hidden="true" />
        ) : (
          <Hash size={19} aria-hidden="true" />
        ))}
      <h1>{channel?.name ?? "No channels"}</h1>
      <IconButton label="Members" tone="accent" aria-pressed={showMembers} onClick={toggle}>
        <Users size={19} />
      </IconButton>
    </header>
  );
}

function Front(props: {
  link: ServerLink;
  voice: VoiceSession;
  channel: Channel | undefined;
  onSettings: (page: string) => void;
}) {
  const { link, voice, channel } = props;
  if (!channel) {
    return (
      <Blank icon={<Hash size={26} />} title="No channels yet">
        <p>Whoever runs this server can make the first one.</p>
      </Blank>
    );
  }
  if (channel.kind === ChannelKind.VOICE) {
    return (
      <VoiceView
        link={link}
        voice={voice}
        channel={channel}
        onSettings={() => props.onSettings("voice")}
      />
    );
  }
  return <ChatView key={`${link.address} ${channel.channelId}`} link={link} channel={channel} />;
}

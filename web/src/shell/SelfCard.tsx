// Who one is on this server, and the way to the settings.

import { Settings } from "lucide-react";
import { type ServerLink, useServerState, type VoiceSession } from "#socket";
import { Avatar, IconButton } from "#ui";

export function SelfCard(props: {
  link: ServerLink;
  voice: VoiceSession;
  onSettings: (page: string) => void;
}) {
  const me = useServerState(props.link, (s) => s.me);
  const isConnected = useServerState(props.link, (s) => s.phase.kind === "connected");
  if (!me) return null;
  return (
    <footer className="self">
      <Avatar
        id={me.memberId}
        name={me.name}
        size={34}
        presence={isConnected ? "online" : "offline"}
      />
      <div className="self-text">
        <strong>{me.name}</strong>
        <span>{isConnected ? "Online" : "Not connected"}</span>
      </div>
      <IconButton label="Settings" shortcut="Ctrl+," onClick={() => props.onSettings("account")}>
        <Settings size={19} />
      </IconButton>
    </footer>
  );
}

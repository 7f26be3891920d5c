// The whole client: the rail, the server in front, dialogs and shortcuts.

import { AudioLines, Keyboard, Palette, Plus, UserRound } from "lucide-react";
import { Tooltip } from "radix-ui";
import { useMemo, useState } from "react";
import {
  AppearancePage,
  SettingsDialog,
  type SettingsPage,
  ShortcutsPage,
  settings,
  useSettings,
} from "#settings";
import { type ServerLink, useSockets } from "#socket";
import { Blank, Button } from "#ui";
import { chosenChannel, neighbor } from "./channelChoice.ts";
import { InviteScreen } from "./invites/InviteScreen.tsx";
import { type Pane, selectChannel, selectServer } from "./navigation.ts";
import { ServerView } from "./ServerView.tsx";
import { AddServerDialog } from "./servers/AddServerDialog.tsx";
import { ServerRail } from "./servers/ServerRail.tsx";
import { AccountPage } from "./settings/AccountPage.tsx";
import { VoicePage } from "./settings/VoicePage.tsx";
import { type Shortcut, useShortcuts } from "./shortcuts.ts";
import { VoiceBar } from "./voice/VoiceBar.tsx";
import { VoiceShortcuts } from "./voice/VoiceShortcuts.tsx";
import "./shell.css";

const pages: SettingsPage[] = [
  {
    id: "account",
    label: "Accounts",
    icon: <UserRound size={17} />,
    content: <AccountPage />,
  },
  { id: "voice", label: "Voice and audio", icon: <AudioLines size={17} />, content: <VoicePage /> },
  {
    id: "appearance",
    label: "Appearance",
    icon: <Palette size={17} />,
    content: <AppearancePage />,
  },
  { id: "shortcuts", label: "Keyboard", icon: <Keyboard size={17} />, content: <ShortcutsPage /> },
];

const channelSteps: Partial<Record<Shortcut, number>> = { nextChannel: 1, previousChannel: -1 };
const serverSteps: Partial<Record<Shortcut, number>> = { nextServer: 1, previousServer: -1 };

function selectNeighbor(link: ServerLink, step: number): void {
  const { channels } = link.state();
  const current = chosenChannel(channels, settings.read().selectedChannels[link.address]);
  const next = neighbor(channels, current, step);
  if (next) selectChannel(link.address, next.channelId);
}

/** `invite`: the token of the link that led here. */
export function App(props: { invite: string | undefined }) {
  const { links } = useSockets();
  const selectedAddress = useSettings((s) => s.selectedServer);
  const selected = links.find((link) => link.address === selectedAddress) ?? links[0];
  const [pane, setPane] = useState<Pane>("main");
  const [page, setPage] = useState<string | undefined>();
  const [adding, setAdding] = useState(false);
  // In front until another server is chosen.
  const [invite, setInvite] = useState({ token: props.invite, before: selectedAddress });
  // An invite is for the server that this page came from.
  const inviting = links.find((link) => link.address === location.origin);
  const token = invite.before === selectedAddress ? invite.token : undefined;

  useShortcuts((shortcut) => {
    if (shortcut === "settings") setPage("account");
    const channelStep = channelSteps[shortcut];
    if (channelStep && selected) selectNeighbor(selected, channelStep);
    const serverStep = serverSteps[shortcut];
    const next = serverStep && neighbor(links, selected, serverStep);
    if (next) selectServer(next.address);
  });

  const voiceBar = useMemo(
    () => (
      <VoiceBars links={links} onSettings={() => setPage("voice")} onShow={() => setPane("main")} />
    ),
    [links],
  );

  return (
    <Tooltip.Provider delayDuration={350}>
      <main className="app" data-pane={pane}>
        <ServerRail links={links} selected={selected} onAdd={() => setAdding(true)} />
        {token && inviting ? (
          <div className="screen">
            <InviteScreen
              link={inviting}
              token={token}
              onDone={() => {
                history.replaceState(null, "", "/");
                selectServer(inviting.address);
                setInvite({ ...invite, token: undefined });
              }}
            />
          </div>
        ) : selected ? (
          <ServerView
            key={selected.address}
            link={selected}
            pane={pane}
            onPane={setPane}
            onSettings={setPage}
            voiceBar={voiceBar}
          />
        ) : (
          <NoServers onAdd={() => setAdding(true)} />
        )}
      </main>
      {links.map((link) => (
        <VoiceShortcuts key={link.address} link={link} />
      ))}
      <AddServerDialog open={adding} onClose={() => setAdding(false)} />
      <SettingsDialog pages={pages} page={page} onPage={setPage} />
    </Tooltip.Provider>
  );
}

function VoiceBars(props: {
  links: readonly ServerLink[];
  onSettings: () => void;
  onShow: () => void;
}) {
  return props.links.map((link) => <VoiceBar key={link.address} {...props} link={link} />);
}

function NoServers(props: { onAdd: () => void }) {
  return (
    <div className="screen">
      <Blank
        level={1}
        icon={<Plus size={26} />}
        title="No server yet"
        actions={
          <Button tone="accent" onClick={props.onAdd}>
            Add a server
          </Button>
        }
      >
        <p>A server is one community. Ask whoever runs it for the address.</p>
      </Blank>
    </div>
  );
}

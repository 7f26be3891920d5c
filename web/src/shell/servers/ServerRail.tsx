// The servers of this client, one beside the other.

import { Plus } from "lucide-react";
import { Tooltip } from "radix-ui";
import { readUpTo, unreadCount } from "#chat";
import { useSettings } from "#settings";
import { type ServerLink, useServerState } from "#socket";
import { IconButton } from "#ui";
import { selectServer } from "../navigation.ts";

export function ServerRail(props: {
  links: readonly ServerLink[];
  selected: ServerLink | undefined;
  onAdd: () => void;
}) {
  return (
    <nav className="rail" aria-label="Servers">
      <ul>
        {props.links.map((link) => (
          <li key={link.address}>
            <RailButton link={link} isSelected={link === props.selected} />
          </li>
        ))}
      </ul>
      <IconButton label="Add a server" onClick={props.onAdd}>
        <Plus size={20} />
      </IconButton>
    </nav>
  );
}

function RailButton(props: { link: ServerLink; isSelected: boolean }) {
  const { link, isSelected } = props;
  const name = useServerName(link);
  const phase = useServerState(link, (s) => s.phase.kind);
  const stored = useSettings((s) => s);
  const unread = useServerState(link, (state) =>
    state.channels.some(
      ({ channelId }) =>
        unreadCount(state, channelId, readUpTo(stored, link.address, channelId)) > 0,
    ),
  );
  const status = { signedOut: "signed out", stopped: "stopped", reconnecting: "not connected" };
  const note = phase in status ? status[phase as keyof typeof status] : undefined;
  const label = [name, note, unread && !isSelected ? "unread messages" : undefined]
    .filter(Boolean)
    .join(", ");
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button
          type="button"
          className="rail-server"
          aria-label={label}
          aria-current={isSelected ? "page" : undefined}
          data-unread={unread && !isSelected}
          data-phase={phase}
          data-initials={name.slice(0, 2)}
          onClick={() => selectServer(link.address)}
        />
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tooltip" side="right" sideOffset={8}>
          {label}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

/** The server's name, as it says now or said when it was last seen. */
export function useServerName(link: ServerLink): string {
  const current = useServerState(link, (s) => s.server?.name ?? s.discovery?.name);
  const saved = useSettings(
    (s) => s.servers.find((server) => server.address === link.address)?.name,
  );
  return current || saved || new URL(link.address).host;
}

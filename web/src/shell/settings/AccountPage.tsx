// The servers of this client and who one is on each.

import { LogOut, Trash2 } from "lucide-react";
import { useState } from "react";
import { Role } from "#proto/model";
import { type ServerLink, useServerState, useSockets } from "#socket";
import { Avatar, Button, Confirm, IconButton } from "#ui";
import { dropVoiceCall } from "#webRTC";
import { useServerName } from "../servers/ServerRail.tsx";
import { SignInChoices } from "../servers/SignInChoices.tsx";

const roles: Record<Role, string> = {
  [Role.UNSPECIFIED]: "Member",
  [Role.OWNER]: "Owner",
  [Role.ADMIN]: "Admin",
  [Role.MODERATOR]: "Moderator",
  [Role.MEMBER]: "Member",
  [Role.GUEST]: "Guest",
};

export function AccountPage() {
  const { links } = useSockets();
  return (
    <ul className="accounts">
      {links.map((link) => (
        <AccountRow key={link.address} link={link} />
      ))}
    </ul>
  );
}

function AccountRow(props: { link: ServerLink }) {
  const { link } = props;
  const { remove } = useSockets();
  const name = useServerName(link);
  const me = useServerState(link, (s) => s.me);
  const [removing, setRemoving] = useState(false);
  const [problem, setProblem] = useState(false);
  const forget = () => {
    dropVoiceCall(link);
    remove(link.address);
  };
  return (
    <li className="account">
      <Avatar id={me?.memberId ?? link.address} name={me?.name ?? name} size={40} />
      <div className="account-text">
        <strong>{name}</strong>
        <span>{me ? `${me.name} · ${roles[me.role]}` : "Not signed in"}</span>
        <span className="field-hint">{new URL(link.address).host}</span>
        {problem && (
          <span role="alert" className="field-error">
            The sign-in page does not answer.
          </span>
        )}
      </div>
      {me ? (
        <Button onClick={() => void link.signOut()}>
          <LogOut size={16} aria-hidden="true" />
          Sign out
        </Button>
      ) : (
        <SignInChoices link={link} onProblem={setProblem} />
      )}
      {link.address !== location.origin && (
        <IconButton label={`Remove ${name} from this client`} onClick={() => setRemoving(true)}>
          <Trash2 size={17} />
        </IconButton>
      )}
      <Confirm
        title={`Remove ${name}?`}
        text="It disappears from this client. Your account and messages stay on the server."
        action="Remove"
        open={removing}
        onConfirm={forget}
        onClose={() => setRemoving(false)}
      />
    </li>
  );
}

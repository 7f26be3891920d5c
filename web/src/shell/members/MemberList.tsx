// Everyone of the server: who is there and who is not.

import { ShieldBan } from "lucide-react";
import { useMemo } from "react";
import { type Member, Role } from "#proto/model";
import { type ServerLink, useServerState, type VoiceSession } from "#socket";
import { Avatar } from "#ui";
import { groupMembers, type MemberGroup } from "./groupMembers.ts";
import { MemberMenu } from "./MemberMenu.tsx";

const roleNames: Partial<Record<Role, string>> = {
  [Role.OWNER]: "Owner",
  [Role.ADMIN]: "Admin",
  [Role.MODERATOR]: "Moderator",
  [Role.GUEST]: "Guest",
};

const titles: Record<MemberGroup["presence"], string> = {
  online: "Online",
  offline: "Offline",
  unknown: "Everyone",
};

export function MemberList(props: { link: ServerLink; voice: VoiceSession }) {
  const { link } = props;
  const members = useServerState(link, (s) => s.members);
  const online = useServerState(link, (s) => (s.phase.kind === "connected" ? s.online : undefined));
  const groups = useMemo(() => groupMembers([...members.values()], online), [members, online]);
  return (
    <div className="members">
      {groups.map(({ presence, members: people }) => (
        <section key={presence}>
          <h2>
            {titles[presence]} · {people.length}
          </h2>
          <ul>
            {people.map((member) => (
              <li key={member.memberId}>
                <MemberRow {...props} member={member} presence={presence} />
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function MemberRow(props: {
  link: ServerLink;
  voice: VoiceSession;
  member: Member;
  presence: MemberGroup["presence"];
}) {
  const { member, presence } = props;
  const role = roleNames[member.role];
  return (
    <MemberMenu link={props.link} voice={props.voice} memberId={member.memberId}>
      <button type="button" className="member" data-presence={presence}>
        <Avatar id={member.memberId} name={member.name} size={32} presence={presence} />
        <span className="member-name">{member.name}</span>
        {member.serverMuted && (
          <ShieldBan size={15} role="img" aria-label="muted by a moderator" className="mark-bad" />
        )}
        {role && <span className="member-role">{role}</span>}
      </button>
    </MemberMenu>
  );
}

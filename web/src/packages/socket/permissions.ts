// What a role may do, as the server decides it too: here only to leave out what would be refused.

import { type Member, Role } from "#proto/model";

export type Permission =
  | "send"
  | "attach"
  | "speak"
  | "manageMessages"
  | "muteMembers"
  | "invite"
  | "manageChannels";

// Lower numbers rank higher on the wire.
const lowestRole: Record<Permission, Role> = {
  send: Role.MEMBER,
  attach: Role.MEMBER,
  speak: Role.MEMBER,
  manageMessages: Role.MODERATOR,
  muteMembers: Role.MODERATOR,
  invite: Role.MODERATOR,
  manageChannels: Role.ADMIN,
};

/** Whether `member` may. Unknown members may nothing. */
export function permits(member: Member | undefined, permission: Permission): boolean {
  if (!member || member.role === Role.UNSPECIFIED) return false;
  return member.role <= lowestRole[permission];
}

/** Whether `actor` may act on `target`: only downwards in rank. */
export function outranks(actor: Member | undefined, target: Member | undefined): boolean {
  if (!actor || !target || actor.role === Role.UNSPECIFIED) return false;
  return actor.role < target.role;
}

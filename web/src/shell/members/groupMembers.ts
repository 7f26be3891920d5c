// The order of the member list.

import type { Member } from "#proto/model";

export interface MemberGroup {
  presence: "online" | "offline";
  members: Member[];
}

/** Who is there first, each group by name. Empty groups are left out. */
export function groupMembers(
  members: readonly Member[],
  online: ReadonlySet<string>,
): MemberGroup[] {
  const sorted = [...members].sort((a, b) => a.name.localeCompare(b.name));
  const groups: MemberGroup[] = [
    { presence: "online", members: sorted.filter((m) => online.has(m.memberId)) },
    { presence: "offline", members: sorted.filter((m) => !online.has(m.memberId)) },
  ];
  return groups.filter((group) => group.members.length > 0);
}

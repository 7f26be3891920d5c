// The order of the member list.

import type { Member } from "#proto/model";

export interface MemberGroup {
  /** `unknown`: without the server nobody says who is there. */
  presence: "online" | "offline" | "unknown";
  members: Member[];
}

/** Who is there first, each group by name. Empty groups are left out. `online` undefined: not known. */
export function groupMembers(
  members: readonly Member[],
  online: ReadonlySet<string> | undefined,
): MemberGroup[] {
  const sorted = [...members].sort((a, b) => a.name.localeCompare(b.name));
  if (online === undefined) return [{ presence: "unknown", members: sorted }];
  const groups: MemberGroup[] = [
    { presence: "online", members: sorted.filter((m) => online.has(m.memberId)) },
    { presence: "offline", members: sorted.filter((m) => !online.has(m.memberId)) },
  ];
  return groups.filter((group) => group.members.length > 0);
}

// Invites in words.

import type { Invite } from "#proto/model";

/** For how many people it is still good. */
export function usesLeft(invite: Pick<Invite, "maxUses" | "uses">): string {
  const left = invite.maxUses - invite.uses;
  const of = invite.uses > 0 ? ` of ${invite.maxUses}` : "";
  return `For ${left}${of} ${left === 1 && of === "" ? "person" : "people"}`;
}

const steps = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;

/** When it ends, in the largest unit that says something. */
export function endsIn(invite: Pick<Invite, "expiresAtMs">, nowMs: number): string {
  const left = Math.max(0, Number(invite.expiresAtMs) - nowMs);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  // A little grace: seven days that began a moment ago are seven days.
  const [unit, length] = steps.find(([, ms]) => left >= ms * 0.999) ?? ["minute", 60_000];
  return `Ends ${format.format(Math.max(1, Math.round(left / length)), unit)}`;
}

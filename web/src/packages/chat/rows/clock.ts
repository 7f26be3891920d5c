// Times and days in the person's language.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayAndYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

const dayMs = 86_400_000;

export function timeText(atMs: number): string {
  return time.format(atMs);
}

export function fullTimeText(atMs: number): string {
  return full.format(atMs);
}

export function dayOf(atMs: number): string {
  return new Date(atMs).toDateString();
}

/** Today, yesterday, or the date; with its year where that is not this one. */
export function dayText(atMs: number, nowMs: number): string {
  if (dayOf(atMs) === dayOf(nowMs)) return "Today";
  if (dayOf(atMs) === dayOf(nowMs - dayMs)) return "Yesterday";
  const sameYear = new Date(atMs).getFullYear() === new Date(nowMs).getFullYear();
  return (sameYear ? day : dayAndYear).format(atMs);
}

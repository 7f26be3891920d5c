// What may be sent, and drafts that outlive the switch to another channel.

/** Characters, as the server counts them. */
export const longestText = 4_000;

/** From here on the rest is counted. */
const countFrom = 3_500;

export type Draft =
  | { kind: "empty" }
  | { kind: "fits"; text: string }
  | { kind: "tooLong"; by: number };

/** Judges what stands in the composer. */
export function judgeDraft(raw: string): Draft {
  const text = raw.trim();
  if (text === "") return { kind: "empty" };
  const over = [...text].length - longestText;
  return over > 0 ? { kind: "tooLong", by: over } : { kind: "fits", text };
}

/** Characters left, once that is worth saying. */
export function charactersLeft(raw: string): number | undefined {
  const length = [...raw.trim()].length;
  return length >= countFrom ? longestText - length : undefined;
}

/** What `charactersLeft` says to a person. */
export function leftText(left: number): string {
  if (left >= 0) return `${left}`;
  return left === -1 ? "1 character too many" : `${-left} characters too many`;
}

const drafts = new Map<string, string>();

/** The draft of a channel. `key`: server address and channel id. */
export function draftOf(key: string): string {
  return drafts.get(key) ?? "";
}

export function keepDraft(key: string, text: string): void {
  if (text === "") drafts.delete(key);
  else drafts.set(key, text);
}

// What the message list shows, line by line: days, the unread marker, messages, pending ones.

import type { Message } from "#proto/model";
import type { PendingMessage } from "../outbox/outbox.ts";
import { isEmptied } from "./emptied.ts";

export type Row =
  | { kind: "day"; key: string; atMs: number }
  | { kind: "unread"; key: string }
  /** `continues`: the same author wrote the row above a moment before. */
  | { kind: "message"; key: string; message: Message; continues: boolean }
  | { kind: "pending"; key: string; pending: PendingMessage; continues: boolean };

/** Messages of one author closer together than this are one group. */
const groupMs = 5 * 60_000;

interface Previous {
  memberId: string;
  atMs: number;
}

/** `date` is a day's name in the person's time zone, such as `toDateString` gives. */
export function rowsOf(input: {
  messages: readonly Message[];
  pending: readonly PendingMessage[];
  /** The newest message read before the channel was opened; undefined: no marker. */
  readUpTo: bigint | undefined;
  myMemberId: string;
  nowMs: number;
  date: (atMs: number) => string;
}): Row[] {
  const { readUpTo, myMemberId, date } = input;
  const rows: Row[] = [];
  let previous: Previous | undefined;
  let marked = readUpTo === undefined;

  const step = (memberId: string, atMs: number): boolean => {
    const newDay = previous === undefined || date(previous.atMs) !== date(atMs);
    if (newDay) rows.push({ kind: "day", key: `day ${date(atMs)}`, atMs });
    const continues =
      !newDay &&
      rows.at(-1)?.kind !== "unread" &&
      previous?.memberId === memberId &&
      atMs - previous.atMs < groupMs;
    previous = { memberId, atMs };
    return continues;
  };

  for (const message of input.messages) {
    if (isEmptied(message)) continue;
    if (!marked && readUpTo !== undefined && message.messageId > readUpTo) {
      // One's own message was read by writing it.
      if (message.memberId !== myMemberId) {
        rows.push({ kind: "unread", key: "unread" });
        marked = true;
      }
    }
    const continues = step(message.memberId, Number(message.createdAtMs));
    rows.push({ kind: "message", key: `m${message.messageId}`, message, continues });
  }
  const known = new Set(input.messages.map(({ memberId, nonce }) => `${memberId} ${nonce}`));
  for (const pending of input.pending) {
    // Its message is here already, only its reply is not.
    if (known.has(`${myMemberId} ${pending.nonce}`)) continue;
    const continues = step(myMemberId, pending.createdAtMs);
    rows.push({ kind: "pending", key: `p${pending.nonce}`, pending, continues });
  }
  return rows;
}

/** The first row that stands for a message, for a list that grows upwards. */
export function messageIndex(rows: readonly Row[], messageId: bigint): number {
  return rows.findIndex((row) => row.kind === "message" && row.message.messageId === messageId);
}

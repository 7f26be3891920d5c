import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { MessageSchema } from "#proto/model";
import type { PendingMessage } from "../outbox/outbox.ts";
import { type Row, rowsOf } from "./rows.ts";

const dayMs = 86_400_000;
const minuteMs = 60_000;

function message(messageId: bigint, memberId: string, atMs: number, text = "hi") {
  return create(MessageSchema, { messageId, memberId, text, createdAtMs: BigInt(atMs) });
}

function rows(input: Partial<Parameters<typeof rowsOf>[0]>): Row[] {
  return rowsOf({
    messages: [],
    pending: [],
    readUpTo: undefined,
    myMemberId: "me",
    nowMs: 0,
    date: (atMs) => String(Math.floor(atMs / dayMs)),
    ...input,
  });
}

function shape(found: Row[]): string[] {
  return found.map((row) => {
    const continues = "continues" in row && row.continues ? "+" : "";
    return row.kind === "message" ? `${row.key}${continues}` : `${row.kind}${continues}`;
  });
}

describe("the message list", () => {
  test("groups what one author writes in quick succession", () => {
    const messages = [
      message(1n, "ada", 0),
      message(2n, "ada", minuteMs),
      message(3n, "bo", 2 * minuteMs),
      message(4n, "ada", 3 * minuteMs),
      message(5n, "ada", 9 * minuteMs),
    ];
    expect(shape(rows({ messages }))).toEqual(["day", "m1", "m2+", "m3", "m4", "m5"]);
  });

  test("begins each day with its date and a new group", () => {
    const messages = [message(1n, "ada", dayMs - 1), message(2n, "ada", dayMs)];
    expect(shape(rows({ messages }))).toEqual(["day", "m1", "day", "m2"]);
  });

  test("leaves out deleted messages, and days that have no others", () => {
    const messages = [message(1n, "ada", 0, ""), message(2n, "ada", dayMs)];
    expect(shape(rows({ messages }))).toEqual(["day", "m2"]);
  });

  test("marks the first unread message of someone else", () => {
    const messages = [message(1n, "ada", 0), message(2n, "me", 1), message(3n, "ada", 2)];
    expect(shape(rows({ messages, readUpTo: 1n }))).toEqual(["day", "m1", "m2", "unread", "m3"]);
    expect(shape(rows({ messages, readUpTo: 3n }))).toEqual(["day", "m1", "m2", "m3"]);
  });

  test("ends with pending messages, but not twice with one that arrived", () => {
    const pending: PendingMessage[] = ["n1", "n2"].map((nonce) => ({
      nonce,
      channelId: "c",
      text: "hi",
      files: [],
      createdAtMs: 10,
      state: "sending",
      problem: undefined,
    }));
    const messages = [{ ...message(1n, "me", 5), nonce: "n1" }];
    expect(shape(rows({ messages, pending }))).toEqual(["day", "m1", "pending+"]);
  });
});

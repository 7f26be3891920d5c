import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ParticipantSchema } from "#proto/model";
import { flagsElsewhere } from "./elsewhere.ts";

const other = create(ParticipantSchema, { memberId: "bo", muted: true, deafened: true });

function mine(flags: { muted?: boolean; deafened?: boolean; listenOnly?: boolean }) {
  return [other, create(ParticipantSchema, { memberId: "ada", ...flags })];
}

test("what another tab of the same person shows is known", () => {
  const flags = { muted: true, deafened: false };
  expect(flagsElsewhere(mine(flags), "ada")).toEqual(flags);
});

test("others' calls are not one's own", () => {
  expect(flagsElsewhere([other], "ada")).toBeUndefined();
  expect(flagsElsewhere([other], undefined)).toBeUndefined();
});

test("a tab without a microphone says nothing about this one's", () => {
  const flags = flagsElsewhere(mine({ muted: true, listenOnly: true }), "ada");
  expect(flags).toEqual({ muted: false, deafened: false });
});

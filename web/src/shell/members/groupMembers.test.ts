import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { MemberSchema } from "#proto/model";
import { groupMembers } from "./groupMembers.ts";

test("who is there comes first, each group by name, without empty groups", () => {
  const members = ["Cy", "ada", "Bo"].map((name) => create(MemberSchema, { memberId: name, name }));
  const shape = groupMembers(members, new Set(["Cy", "ada"])).map((group) => [
    group.presence,
    group.members.map((m) => m.name),
  ]);
  expect(shape).toEqual([
    ["online", ["ada", "Cy"]],
    ["offline", ["Bo"]],
  ]);
  expect(groupMembers(members, new Set())).toHaveLength(1);
});

test("without the server nobody is said to be there, nor to be away", () => {
  const members = ["Bo", "ada"].map((name) => create(MemberSchema, { memberId: name, name }));
  const shape = groupMembers(members, undefined).map((group) => [
    group.presence,
    group.members.map((m) => m.name),
  ]);
  expect(shape).toEqual([["unknown", ["ada", "Bo"]]]);
});

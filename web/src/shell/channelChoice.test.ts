import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ChannelKind, ChannelSchema } from "#proto/model";
import { chosenChannel, neighbor } from "./channelChoice.ts";

describe("the channel in front", () => {
  const lounge = create(ChannelSchema, { channelId: "v", kind: ChannelKind.VOICE });
  const general = create(ChannelSchema, { channelId: "t", kind: ChannelKind.TEXT });

  test("is the one that was chosen", () => {
    expect(chosenChannel([lounge, general], "v")).toBe(lounge);
  });

  test("is the first text channel when the chosen one is gone", () => {
    expect(chosenChannel([lounge, general], "gone")).toBe(general);
  });

  test("is a voice channel where there is no other", () => {
    expect(chosenChannel([lounge], undefined)).toBe(lounge);
    expect(chosenChannel([], undefined)).toBeUndefined();
  });
});

test("neighbors go around the ends", () => {
  expect(neighbor(["a", "b", "c"], "c", 1)).toBe("a");
  expect(neighbor(["a", "b", "c"], "a", -1)).toBe("c");
  expect(neighbor(["a", "b"], undefined, 1)).toBe("a");
  expect(neighbor([], "a", 1)).toBeUndefined();
});

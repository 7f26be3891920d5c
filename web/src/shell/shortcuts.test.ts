import { expect, test } from "vitest";
import { shortcutOf } from "./shortcuts.ts";

const none = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };

test.each([
  [{ ...none, key: "M", ctrlKey: true, shiftKey: true }, "mute"],
  [{ ...none, key: "m", metaKey: true, shiftKey: true }, "mute"],
  [{ ...none, key: ",", ctrlKey: true }, "settings"],
  [{ ...none, key: "ArrowDown", altKey: true }, "nextChannel"],
  [{ ...none, key: "ArrowUp", altKey: true, ctrlKey: true }, "previousServer"],
  [{ ...none, key: "m", ctrlKey: true }, undefined],
  [{ ...none, key: "m" }, undefined],
  [{ ...none, key: "ArrowDown" }, undefined],
])("%j means %s", (keys, shortcut) => {
  expect(shortcutOf(keys)).toBe(shortcut);
});

import { expect, test } from "vitest";
import { mayTakeFocus } from "./focus.ts";

function screen(isDesktop: boolean, focusedIn: string | undefined) {
  return {
    matchMedia: () => ({ matches: isDesktop }),
    document: {
      activeElement: {
        closest: (selector: string) =>
          focusedIn !== undefined && selector.includes(focusedIn) ? {} : null,
      },
    },
  };
}

test("a channel takes the keyboard on a desktop", () => {
  expect(mayTakeFocus(screen(true, undefined))).toBe(true);
});

test("a channel leaves a phone's keyboard away", () => {
  expect(mayTakeFocus(screen(false, undefined))).toBe(false);
});

test.each(["[role=dialog]", "[role=alertdialog]", "[role=menu]", "input"])(
  "a channel takes the keyboard from no %s",
  (place) => {
    expect(mayTakeFocus(screen(true, place))).toBe(false);
  },
);

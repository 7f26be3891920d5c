// Whether a channel that opens may take the keyboard.

/** The parts of a window that decide. */
export interface Screen {
  matchMedia: (query: string) => { matches: boolean };
  document: { activeElement: { closest: (selector: string) => unknown } | null };
}

/** A phone's keyboard would cover what was opened. */
const desktop = "(min-width: 761px) and (not (pointer: coarse))";

/** Where somebody is doing something else. A text area is of the channel that was open before. */
const busy = "[role=dialog], [role=alertdialog], [role=menu], input";

/** True on a desktop where no dialog, menu or field has the keyboard. */
export function mayTakeFocus(screen: Screen): boolean {
  return screen.matchMedia(desktop).matches && !screen.document.activeElement?.closest(busy);
}

// The keyboard shortcuts of the whole page.

import { useEffect, useRef } from "react";

export type Shortcut =
  | "mute"
  | "deafen"
  | "leave"
  | "settings"
  | "nextChannel"
  | "previousChannel"
  | "nextServer"
  | "previousServer";

type Keys = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">;

const withShift: Record<string, Shortcut> = { m: "mute", d: "deafen", h: "leave" };

/** What a key press means. Ctrl and the Mac's command key are the same. */
export function shortcutOf(keys: Keys): Shortcut | undefined {
  const ctrl = keys.ctrlKey || keys.metaKey;
  if (ctrl && keys.shiftKey && !keys.altKey) return withShift[keys.key.toLowerCase()];
  if (ctrl && !keys.shiftKey && !keys.altKey && keys.key === ",") return "settings";
  if (keys.altKey && !keys.shiftKey) {
    if (keys.key === "ArrowDown") return ctrl ? "nextServer" : "nextChannel";
    if (keys.key === "ArrowUp") return ctrl ? "previousServer" : "previousChannel";
  }
  return undefined;
}

/** Calls `act` for each shortcut, whatever has the focus. */
export function useShortcuts(act: (shortcut: Shortcut) => void): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  }, [act]);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const shortcut = shortcutOf(event);
      if (!shortcut || event.repeat) return;
      event.preventDefault();
      latest.current(shortcut);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

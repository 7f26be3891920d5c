// Gives React the settings.

import { useSyncExternalStore } from "react";
import type { Settings } from "./schema.ts";
import { settings } from "./store.ts";

/** The part of the settings that `select` picks. It has to return what is stored, not a new object. */
export function useSettings<T>(select: (settings: Settings) => T): T {
  return useSyncExternalStore(settings.subscribe, () => select(settings.read()));
}

// What this device remembers, and the dialog to change it.

export type { AudioSettings, SavedServer, Settings, Theme } from "./schema.ts";
export { memberKey, settings } from "./store.ts";
export { useSettings } from "./useSettings.ts";

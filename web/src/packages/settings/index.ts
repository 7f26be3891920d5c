// What this device remembers, and the dialog to change it.

export { AppearancePage } from "./components/AppearancePage.tsx";
export { SettingsDialog, type SettingsPage } from "./components/SettingsDialog.tsx";
export { ShortcutsPage } from "./components/ShortcutsPage.tsx";
export type { AudioSettings, SavedServer, Settings, Theme } from "./schema.ts";
export { memberKey, settings } from "./store.ts";
export { followTheme } from "./theme.ts";
export { useSettings } from "./useSettings.ts";

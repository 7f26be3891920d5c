// Puts the chosen theme on the page.

import type { Theme } from "./schema.ts";
import { settings } from "./store.ts";

/** What the page shows for a choice. */
export function resolveTheme(theme: Theme, systemIsLight: boolean): "dark" | "light" {
  if (theme === "system") return systemIsLight ? "light" : "dark";
  return theme;
}

/** Follows the settings and the system from here on. */
export function followTheme(): void {
  const system = matchMedia("(prefers-color-scheme: light)");
  const apply = () => {
    document.documentElement.dataset.theme = resolveTheme(settings.read().theme, system.matches);
  };
  apply();
  settings.subscribe(apply);
  system.addEventListener("change", apply);
}

// Dark, light, or as the system has it.

import { Choice } from "#ui";
import type { Theme } from "../schema.ts";
import { settings } from "../store.ts";
import { useSettings } from "../useSettings.ts";

const themes: readonly { value: Theme; label: string }[] = [
  { value: "system", label: "As the system" },
  { value: "dark", label: "Dark" },
  { value: "light", label: "Light" },
];

export function AppearancePage() {
  const theme = useSettings((s) => s.theme);
  return (
    <Choice
      label="Theme"
      value={theme}
      options={themes}
      onChange={(next) => settings.update(() => ({ theme: next }))}
    />
  );
}

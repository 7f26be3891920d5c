import { describe, expect, test } from "vitest";
import { defaults, parseSettings } from "./schema.ts";
import { type SettingsStorage, SettingsStore } from "./store.ts";
import { resolveTheme } from "./theme.ts";

function storage(
  initial: Record<string, string> = {},
): SettingsStorage & { kept: Map<string, string> } {
  const kept = new Map(Object.entries(initial));
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
  };
}

describe("what is found in storage", () => {
  test.each([null, "", "{", "7", "[]", "null"])("%j becomes the defaults", (text) => {
    expect(parseSettings(text)).toEqual(defaults);
  });

  test("keeps what is right and replaces what is broken", () => {
    const text = JSON.stringify({
      servers: [{ address: "https://a.example", name: "A" }, { address: 7 }, null],
      theme: "purple",
      showMembers: false,
      audio: { inputVolume: "loud", gateThresholdDb: -40 },
      memberVolumes: { "s m": 0.5, "s n": "x" },
    });
    const settings = parseSettings(text);
    expect(settings.servers).toEqual([{ address: "https://a.example", name: "A" }]);
    expect(settings.theme).toBe("system");
    expect(settings.showMembers).toBe(false);
    expect(settings.audio).toEqual({ ...defaults.audio, gateThresholdDb: -40 });
    expect(settings.memberVolumes).toEqual({ "s m": 0.5 });
  });
});

describe("the store", () => {
  test("writes each change, and the next page reads it", () => {
    const kept = storage();
    new SettingsStore(kept).update(() => ({ theme: "light" }));
    expect(new SettingsStore(kept).read().theme).toBe("light");
  });

  test("works on where storage refuses", () => {
    const full: SettingsStorage = {
      getItem: () => null,
      setItem: () => {
        throw new DOMException("full", "QuotaExceededError");
      },
    };
    const store = new SettingsStore(full);
    store.update(() => ({ theme: "dark" }));
    expect(store.read().theme).toBe("dark");
  });

  test("takes over what another tab wrote", () => {
    const kept = storage();
    const store = new SettingsStore(kept);
    let told = 0;
    store.subscribe(() => {
      told += 1;
    });
    store.adopt("someone.else", "{}");
    expect(told).toBe(0);
    store.adopt("gryt.settings.v1", JSON.stringify({ theme: "light" }));
    expect(store.read().theme).toBe("light");
    expect(told).toBe(1);
  });
});

test.each([
  ["system", true, "light"],
  ["system", false, "dark"],
  ["dark", true, "dark"],
] as const)("theme %s on a system that is light: %s shows %s", (theme, isLight, shown) => {
  expect(resolveTheme(theme, isLight)).toBe(shown);
});

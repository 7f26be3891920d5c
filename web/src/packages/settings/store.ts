// The one owner of localStorage: reads it once, writes on change, follows changes of other tabs.

import { parseSettings, type Settings } from "./schema.ts";

const key = "gryt.settings.v1";

/** The part of `Storage` that is used. */
export type SettingsStorage = Pick<Storage, "getItem" | "setItem">;

/** Settings that tell their listeners about each change. */
export class SettingsStore {
  #current: Settings;
  readonly #storage: SettingsStorage;
  readonly #listeners = new Set<() => void>();

  constructor(storage: SettingsStorage) {
    this.#storage = storage;
    this.#current = parseSettings(storage.getItem(key));
  }

  read = (): Settings => this.#current;

  /** Replaces the given fields. Where storage is full or forbidden they hold until the page closes. */
  update = (change: (settings: Settings) => Partial<Settings>): void => {
    this.#current = { ...this.#current, ...change(this.#current) };
    try {
      this.#storage.setItem(key, JSON.stringify(this.#current));
    } catch {
      // Private windows may refuse. The page works on without memory.
    }
    this.#notify();
  };

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Takes over what another tab wrote. */
  adopt = (changedKey: string | null, text: string | null): void => {
    if (changedKey !== key) return;
    this.#current = parseSettings(text);
    this.#notify();
  };

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

const memory: SettingsStorage = { getItem: () => null, setItem: () => undefined };

function browserStorage(): SettingsStorage {
  try {
    return globalThis.localStorage ?? memory;
  } catch {
    return memory;
  }
}

/** This device's settings. */
export const settings = new SettingsStore(browserStorage());

globalThis.addEventListener?.("storage", (event) => settings.adopt(event.key, event.newValue));

/** The key of a member in `memberVolumes`. */
export function memberKey(serverAddress: string, memberId: string): string {
  return `${serverAddress} ${memberId}`;
}

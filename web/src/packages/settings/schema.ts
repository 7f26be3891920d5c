// What this device remembers, with its defaults and the parser for what is found in storage.

/** A server in the rail. */
export interface SavedServer {
  /** Its origin, for example `https://chat.example.org`. */
  address: string;
  /** Its name when last seen, so that the rail is readable before it answers. */
  name: string;
}

export type Theme = "system" | "dark" | "light";

/** What the microphone and the speakers do. Volumes: 0..2, 1 is unchanged. */
export interface AudioSettings {
  /** `deviceId` of the browser; empty for the system's choice. */
  inputDeviceId: string;
  outputDeviceId: string;
  inputVolume: number;
  outputVolume: number;
  gateEnabled: boolean;
  /** dBFS, -100..0: quieter than this is not sent. */
  gateThresholdDb: number;
  noiseSuppression: boolean;
  echoCancellation: boolean;
  autoGain: boolean;
}

/** Everything kept on this device. */
export interface Settings {
  servers: SavedServer[];
  /** The server shown last. */
  selectedServer: string;
  /** Server address -> the channel shown last. */
  selectedChannels: Record<string, string>;
  /** `<server address> <channel id>` -> the newest message id read, as decimal text. */
  readMessages: Record<string, string>;
  theme: Theme;
  showMembers: boolean;
  audio: AudioSettings;
  /** `<server address> <member id>` -> 0..2. Absent: 1. */
  memberVolumes: Record<string, number>;
}

export const defaults: Settings = {
  servers: [],
  selectedServer: "",
  selectedChannels: {},
  readMessages: {},
  theme: "system",
  showMembers: true,
  audio: {
    inputDeviceId: "",
    outputDeviceId: "",
    inputVolume: 1,
    outputVolume: 1,
    gateEnabled: true,
    gateThresholdDb: -55,
    noiseSuppression: true,
    echoCancellation: true,
    autoGain: true,
  },
  memberVolumes: {},
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Takes the fields of `found` that have the type of the default, and the default for the others. */
function like<T extends object>(found: unknown, fallback: T): T {
  if (!isRecord(found)) return fallback;
  const kept = Object.entries(fallback).map(([key, value]) => {
    const candidate = found[key];
    return [key, typeof candidate === typeof value ? candidate : value];
  });
  return Object.fromEntries(kept) as T;
}

function recordOf<T extends string | number>(
  found: unknown,
  type: "string" | "number",
): Record<string, T> {
  if (!isRecord(found)) return {};
  return Object.fromEntries(
    Object.entries(found).filter(([, value]) => typeof value === type),
  ) as Record<string, T>;
}

function isSavedServer(value: unknown): value is SavedServer {
  return isRecord(value) && typeof value.address === "string" && typeof value.name === "string";
}

/** Reads what storage holds. Whatever is broken or missing becomes its default. */
export function parseSettings(text: string | null): Settings {
  let found: unknown;
  try {
    found = text === null ? undefined : JSON.parse(text);
  } catch {
    found = undefined;
  }
  if (!isRecord(found)) return defaults;
  const flat = like(found, defaults);
  return {
    servers: Array.isArray(found.servers) ? found.servers.filter(isSavedServer) : [],
    selectedServer: flat.selectedServer,
    selectedChannels: recordOf(found.selectedChannels, "string"),
    readMessages: recordOf(found.readMessages, "string"),
    theme: flat.theme === "dark" || flat.theme === "light" ? flat.theme : "system",
    showMembers: flat.showMembers,
    audio: like(found.audio, defaults.audio),
    memberVolumes: recordOf(found.memberVolumes, "number"),
  };
}

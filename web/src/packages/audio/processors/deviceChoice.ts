// Which devices a person can choose, and what becomes of a choice that went away.

/** One entry of a device picker. */
export type AudioDevice = { readonly deviceId: string; readonly label: string };

/** What a picker shows. `labelled` false: names appear once the microphone was allowed. */
export type DeviceList = {
  readonly inputs: readonly AudioDevice[];
  readonly outputs: readonly AudioDevice[];
  readonly labelled: boolean;
};

/** No device known yet. */
export const NO_DEVICES: DeviceList = { inputs: [], outputs: [], labelled: false };

/** What `enumerateDevices` tells about one device. */
export type FoundDevice = Pick<MediaDeviceInfo, "deviceId" | "kind" | "label">;

// Chromium lists the system's choice twice more under these ids; the picker has its own entry.
const ALIASES = new Set(["default", "communications"]);

/** Sorts what the browser found into a picker's lists. */
export function deviceList(found: readonly FoundDevice[]): DeviceList {
  return {
    inputs: ofKind(found, "audioinput", "Microphone"),
    outputs: ofKind(found, "audiooutput", "Speakers"),
    labelled: found.some((device) => device.kind === "audioinput" && device.label !== ""),
  };
}

function ofKind(
  found: readonly FoundDevice[],
  kind: MediaDeviceKind,
  noun: string,
): readonly AudioDevice[] {
  return found
    .filter((device) => device.kind === kind)
    .filter((device) => device.deviceId !== "" && !ALIASES.has(device.deviceId))
    .map(({ deviceId, label }, index) => ({ deviceId, label: label || `${noun} ${index + 1}` }));
}

/** Whether the browser says that there is no microphone at all. Without names it cannot know. */
export function lacksMicrophone(found: readonly FoundDevice[]): boolean {
  return !found.some((device) => device.kind === "audioinput");
}

/**
 * The device to use for a choice: the chosen one while it is there, else the system's choice (the
 * empty id). The choice itself is kept, so that a headset is used again when it comes back.
 */
export function effectiveDevice(chosenId: string, devices: readonly AudioDevice[]): string {
  return devices.some((device) => device.deviceId === chosenId) ? chosenId : "";
}

// Whether there is a microphone to ask for, known before the click that needs to know.

import { lacksMicrophone } from "./deviceChoice.ts";
import { microphone } from "./microphone.ts";

/** Follows devices and permission. Until it knows better it assumes a microphone. */
class MicrophonePresence {
  #isThere = true;
  #permission: PermissionStatus | undefined;
  #started = false;

  /** False: join to listen, and do not open a prompt that can only fail. */
  isUsable(): boolean {
    this.start();
    if (navigator.mediaDevices?.getUserMedia === undefined) return false;
    return this.#isThere && this.#permission?.state !== "denied";
  }

  /** Begins to follow. More often than once does nothing. */
  start(): void {
    const devices = globalThis.navigator?.mediaDevices;
    if (this.#started || devices === undefined) return;
    this.#started = true;
    const refresh = () => {
      this.#refresh(devices).catch(() => undefined);
    };
    devices.addEventListener("devicechange", refresh);
    refresh();
    this.#watchPermission().catch(() => undefined);
  }

  async #refresh(devices: MediaDevices): Promise<void> {
    const found = await devices.enumerateDevices();
    this.#isThere = !lacksMicrophone(found);
    const inputs = found.filter((device) => device.kind === "audioinput");
    microphone.devicesChanged(inputs.map((device) => device.deviceId));
  }

  async #watchPermission(): Promise<void> {
    // Browsers that do not know the name reject: the prompt itself will tell.
    this.#permission = await navigator.permissions.query({ name: "microphone" });
    this.#permission.onchange = () => microphone.retry();
  }
}

/** The page's knowledge. */
export const microphonePresence = new MicrophonePresence();

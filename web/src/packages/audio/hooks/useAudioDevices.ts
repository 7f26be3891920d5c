// Follows which microphones and speakers exist.

import { useCallback, useEffect, useState } from "react";
import {
  type DeviceList,
  deviceList,
  effectiveDevice,
  NO_DEVICES,
} from "../processors/deviceChoice.ts";
import { microphone } from "../processors/microphone.ts";
import { canChooseOutput } from "../processors/output.ts";

/** What device pickers need. */
export type AudioDevices = DeviceList & {
  /** The device in use for the choice; empty when that is the system's. */
  readonly inputId: string;
  readonly outputId: string;
  /** A chosen device is not there at the moment; the system's is used meanwhile. */
  readonly inputMissing: boolean;
  readonly outputMissing: boolean;
  readonly canChooseOutput: boolean;
};

/** Lists the devices and says what becomes of the choices. */
export function useAudioDevices(chosen: {
  readonly inputDeviceId: string;
  readonly outputDeviceId: string;
}): AudioDevices {
  const [list, setList] = useState(NO_DEVICES);
  const refresh = useCallback(() => {
    navigator.mediaDevices
      ?.enumerateDevices()
      .then((found) => setList(deviceList(found)))
      .catch(() => setList(NO_DEVICES));
  }, []);
  useEffect(() => {
    refresh();
    const devices = navigator.mediaDevices;
    devices?.addEventListener("devicechange", refresh);
    // Names and ids appear when the microphone is allowed, and no browser sends an event for it.
    const stop = microphone.subscribe(refresh);
    return () => {
      devices?.removeEventListener("devicechange", refresh);
      stop();
    };
  }, [refresh]);
  const inputId = effectiveDevice(chosen.inputDeviceId, list.inputs);
  const outputId = effectiveDevice(chosen.outputDeviceId, list.outputs);
  return {
    ...list,
    inputId,
    outputId,
    inputMissing: list.labelled && chosen.inputDeviceId !== inputId,
    outputMissing: list.labelled && chosen.outputDeviceId !== outputId,
    canChooseOutput: canChooseOutput(),
  };
}

// What a person can choose about their sound. The package settings stores it in this shape.

import { SILENCE_DB } from "./processors/decibels.ts";
import { type GateSettings, SPEECH_GATE } from "./processors/gate.ts";

/** Volumes: 0..2, 1 is unchanged. Device ids are the browser's; empty for the system's choice. */
export type AudioOptions = {
  readonly inputDeviceId: string;
  readonly outputDeviceId: string;
  readonly inputVolume: number;
  readonly outputVolume: number;
  readonly gateEnabled: boolean;
  /** dBFS: quieter than this is not sent. */
  readonly gateThresholdDb: number;
  readonly noiseSuppression: boolean;
  readonly echoCancellation: boolean;
  readonly autoGain: boolean;
};

/** What the device itself is asked for. A change of it opens the microphone again. */
export type CaptureOptions = Pick<
  AudioOptions,
  "inputDeviceId" | "noiseSuppression" | "echoCancellation" | "autoGain"
>;

/** What the pipeline does to the captured sound. A change of it is heard at once. */
export type ProcessingOptions = Pick<
  AudioOptions,
  "inputVolume" | "gateEnabled" | "gateThresholdDb" | "noiseSuppression"
>;

/** Whether both ask the device for the same. */
export function sameCapture(one: CaptureOptions, other: CaptureOptions): boolean {
  return (
    one.inputDeviceId === other.inputDeviceId &&
    one.noiseSuppression === other.noiseSuppression &&
    one.echoCancellation === other.echoCancellation &&
    one.autoGain === other.autoGain
  );
}

/** The constraints that ask for `options`. `exact`: refuse another device than the chosen one. */
export function captureConstraints(
  options: CaptureOptions,
  device: "exact" | "any",
): MediaTrackConstraints {
  const constraints: MediaTrackConstraints = {
    channelCount: 1,
    echoCancellation: options.echoCancellation,
    autoGainControl: options.autoGain,
    // The browser's suppression runs as part of its echo canceller and costs no delay; RNNoise
    // follows in the pipeline and finds less to do.
    noiseSuppression: options.noiseSuppression,
  };
  if (device === "exact" && options.inputDeviceId !== "") {
    constraints.deviceId = { exact: options.inputDeviceId };
  }
  return constraints;
}

/** The gate that `options` ask for. Switched off it is always open. */
export function gateSettings(options: ProcessingOptions): GateSettings {
  return {
    ...SPEECH_GATE,
    thresholdDb: options.gateEnabled ? options.gateThresholdDb : SILENCE_DB,
  };
}

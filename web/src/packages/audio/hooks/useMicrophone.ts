// Gives React the page's microphone: its state, and its use while the component needs it.

import { useEffect, useSyncExternalStore } from "react";
import type { AudioOptions } from "../options.ts";
import type { CaptureState } from "../processors/capture.ts";
import { microphone } from "../processors/microphone.ts";

/** The microphone as a component sees it. */
export type MicrophoneHandle = {
  readonly state: CaptureState;
  /** Asks for it again, for example after the person allowed it in the browser. */
  retry(): void;
};

/**
 * Keeps the microphone open while `wanted`; 2 s after the last component stopped wanting it, it
 * is released. `options` apply to all users at once and without renegotiation.
 */
export function useMicrophone(options: AudioOptions, wanted: boolean): MicrophoneHandle {
  useEffect(() => microphone.configure(options), [options]);
  useEffect(() => (wanted ? microphone.acquire() : undefined), [wanted]);
  const state = useSyncExternalStore(microphone.subscribe, microphone.state);
  return { state, retry };
}

function retry(): void {
  microphone.retry();
}

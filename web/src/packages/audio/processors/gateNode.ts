// The noise gate as a Web Audio node.

import type { GateSettings } from "./gate.ts";
import workletUrl from "./gate.worklet.ts?worker&url";

/** What the gate hears, 20 times a second. `inputDb`: dBFS RMS before the gate. */
export type GateReport = { readonly inputDb: number; readonly open: boolean };

/** Loads the gate's code into a context. Once is enough; more often does no harm. */
export async function loadGate(context: BaseAudioContext): Promise<void> {
  await context.audioWorklet.addModule(workletUrl);
}

/** Makes a gate in a context that has loaded it. */
export function gateNode(context: BaseAudioContext, settings: GateSettings): AudioWorkletNode {
  return new AudioWorkletNode(context, "gryt-gate", {
    channelCount: 1,
    channelCountMode: "explicit",
    numberOfInputs: 1,
    numberOfOutputs: 1,
    outputChannelCount: [1],
    processorOptions: settings,
  });
}

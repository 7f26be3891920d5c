// Runs the noise gate on the audio thread and reports its level 20 times a second.
// Built as a file of its own: a worklet module cannot be inlined under a strict CSP.

import { type GateSettings, NoiseGate, SPEECH_GATE } from "./gate.ts";
import type { GateReport } from "./gateNode.ts";

declare const sampleRate: number;
declare function registerProcessor(name: string, processor: unknown): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

const REPORT_INTERVAL_MS = 50;

class GateProcessor extends AudioWorkletProcessor {
  readonly #gate: NoiseGate;
  #sinceReportMs = 0;
  #ended = false;

  constructor(options: { processorOptions?: GateSettings }) {
    super();
    this.#gate = new NoiseGate(options.processorOptions ?? SPEECH_GATE, sampleRate);
    this.port.onmessage = (message: MessageEvent<GateSettings | "end">) => {
      if (message.data === "end") this.#ended = true;
      else this.#gate.configure(message.data);
    };
  }

  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const output = outputs[0]?.[0];
    if (output === undefined) return !this.#ended;
    const input = inputs[0]?.[0];
    if (input === undefined) output.fill(0);
    this.#gate.process(input ?? output, output);
    this.#sinceReportMs += (output.length / sampleRate) * 1000;
    if (this.#sinceReportMs >= REPORT_INTERVAL_MS) this.#report();
    return !this.#ended;
  }

  #report(): void {
    this.#sinceReportMs = 0;
    const report: GateReport = { inputDb: this.#gate.inputDb, open: this.#gate.isOpen };
    this.port.postMessage(report);
  }
}

registerProcessor("gryt-gate", GateProcessor);

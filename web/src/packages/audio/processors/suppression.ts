// RNNoise as a Web Audio node, loaded only when someone wants it.

import rnnoiseUrl from "@sapphi-red/web-noise-suppressor/rnnoise.wasm?url";
import rnnoiseSimdUrl from "@sapphi-red/web-noise-suppressor/rnnoise_simd.wasm?url";
import workletUrl from "@sapphi-red/web-noise-suppressor/rnnoiseWorklet.js?url";

/** A node that removes noise. `destroy` frees its WebAssembly memory. */
export type Suppressor = AudioNode & { destroy(): void };

const RNNOISE_RATE = 48_000;
// A binary that cannot run does so without a message from the audio thread, so the page tries
// first. An empty module (magic and version) is enough to learn whether the CSP allows any.
const EMPTY_MODULE = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

let binary: Promise<ArrayBuffer> | undefined;

/**
 * Makes a suppressor, or undefined where it cannot run: another sample rate, no worklets, or a
 * CSP without `wasm-unsafe-eval`. The pipeline then goes on without it.
 */
export async function suppressor(context: AudioContext): Promise<Suppressor | undefined> {
  if (context.sampleRate !== RNNOISE_RATE || context.audioWorklet === undefined) return undefined;
  try {
    await WebAssembly.instantiate(EMPTY_MODULE);
    const { loadRnnoise, RnnoiseWorkletNode } = await import("@sapphi-red/web-noise-suppressor");
    binary ??= loadRnnoise({ url: rnnoiseUrl, simdUrl: rnnoiseSimdUrl });
    const [wasmBinary] = await Promise.all([binary, context.audioWorklet.addModule(workletUrl)]);
    return new RnnoiseWorkletNode(context, { wasmBinary, maxChannels: 1 });
  } catch {
    binary = undefined;
    return undefined;
  }
}

// Calls back some 16 times a second, also while the page is hidden.

/** Starts the pulse. Returns its end. */
export function startPulse(beat: () => void): () => void {
  try {
    const worker = new Worker(new URL("./pulse.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = beat;
    return () => worker.terminate();
  } catch {
    const timer = setInterval(beat, 60);
    return () => clearInterval(timer);
  }
}

// A tone for tests of the audio maths, at 48 kHz.

/** Samples of a sine; `from` is the index of its first sample, so that blocks join without a step. */
export function sine(tone: {
  hz: number;
  amplitude: number;
  samples: number;
  from?: number;
}): Float32Array {
  const { hz, amplitude, samples, from = 0 } = tone;
  return Float32Array.from(
    { length: samples },
    (_, index) => amplitude * Math.sin((2 * Math.PI * hz * (from + index)) / 48_000),
  );
}

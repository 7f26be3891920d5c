// Amplitude and decibels relative to full scale (dBFS): 0 dBFS is a sine that fills the range.

/** Everything at or below this counts as silence. */
export const SILENCE_DB = -100;

/** Converts an amplitude (1 = full scale) to dBFS, never below `SILENCE_DB`. */
export function toDecibels(amplitude: number): number {
  if (!(amplitude > 0)) return SILENCE_DB;
  return Math.max(SILENCE_DB, 20 * Math.log10(amplitude));
}

/** Converts dBFS to an amplitude; `SILENCE_DB` and below are exactly 0. */
export function fromDecibels(decibels: number): number {
  return decibels <= SILENCE_DB ? 0 : 10 ** (decibels / 20);
}

/** Keeps `value` within `low..=high`; what is not a number becomes `low`. */
export function clamp(value: number, low: number, high: number): number {
  return value >= low ? Math.min(value, high) : low;
}

// Gain changes without clicks.

/** The part of `AudioParam` that a ramp needs. */
export type RampParam = Pick<AudioParam, "cancelScheduledValues" | "setTargetAtTime">;

/** Long enough not to click, short enough to feel immediate. */
export const RAMP_MS = 15;

// After five time constants an exponential approach is within 0.7 % (-43 dB).
const TIME_CONSTANTS = 5;

/** Time constant in seconds of a ramp that is over, to the ear, after `durationMs`. */
export function timeConstant(durationMs: number): number {
  return Math.max(durationMs, 1) / 1000 / TIME_CONSTANTS;
}

/** Gain at `elapsedMs` of a ramp, as Web Audio computes it. */
export function gainAt(
  ramp: { from: number; to: number; durationMs: number },
  elapsedMs: number,
): number {
  const { from, to, durationMs } = ramp;
  return to + (from - to) * Math.exp(-elapsedMs / 1000 / timeConstant(durationMs));
}

/**
 * Moves `param` to `value`, starting at `now` (the context's seconds) from wherever it is.
 *
 * `setTargetAtTime` needs no anchor: Firefox does not report the present value of a running
 * automation, and `cancelAndHoldAtTime` exists in Chromium and Safari only.
 */
export function rampTo(param: RampParam, value: number, now: number, durationMs = RAMP_MS): void {
  param.cancelScheduledValues(now);
  param.setTargetAtTime(value, now, timeConstant(durationMs));
}

// When to try again, so that a room that lost its node does not come back in one instant.

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/**
 * Milliseconds before try number `tries` (0 is the first): doubles up to 10 s, half of it random.
 * `random`: 0..1. `atLeastMs`: what the server asked for.
 */
export function backoffMs(tries: number, random: number, atLeastMs = 0): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(tries, 16));
  return Math.max(atLeastMs, Math.round(whole * (0.5 + random / 2)));
}

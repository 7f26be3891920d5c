// How long to wait before the next attempt.

const firstMs = 500;
const longestMs = 30_000;

/**
 * Doubles from half a second to 30 seconds, of which half is random, so that a restarted server is
 * not met by everybody at once. `attempt`: 0 for the first. `random`: 0..1.
 */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

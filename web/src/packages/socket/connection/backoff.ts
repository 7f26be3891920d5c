// How long to wait before the next attempt.

const firstMs = 500;

/** The longest pause of a page that nobody looks at. */
export const longestUnseenMs = 30_000;
/** The same while somebody looks at it: that person waits, and most pages are not looked at. */
export const longestSeenMs = 5_000;

/**
 * Doubles from half a second to `longestMs`, of which half is random, so that a restarted server is
 * not met by everybody at once. `attempt`: 0 for the first. `random`: 0..1.
 */
export function backoffMs(attempt: number, random: number, longestMs: number): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

// How long until the next attempt, in words for a person.

/** `atMs`: when the attempt starts or started. */
export function retryText(atMs: number, nowMs: number): string {
  const seconds = Math.ceil((atMs - nowMs) / 1_000);
  return seconds > 0 ? `Trying again in ${seconds} s.` : "Trying now…";
}

// Waiting on conditions, with what was seen last in the error.

/** Asks until `isRight(value)`; gives the value. */
export async function until(what, ask, isRight, { ms = 15_000, every = 100 } = {}) {
  const end = performance.now() + ms;
  for (;;) {
    const value = await ask();
    if (isRight(value)) return value;
    if (performance.now() > end) {
      throw new Error(`${what}: not within ${ms} ms; last seen: ${JSON.stringify(value)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

const HEARD_DB = -65;
const ABSENT_DB = -85;

/** Waits until exactly the tones in `heard` are audible among all `tones`. */
export async function untilHears(person, tones, heard, options) {
  const fits = (levels) =>
    levels.every((level, i) => (heard.includes(tones[i]) ? level > HEARD_DB : level < ABSENT_DB));
  return until(`${person.name} hears ${heard.join(", ") || "nothing"} Hz of ${tones.join(", ")}`, () => person.levels(tones), fits, options);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

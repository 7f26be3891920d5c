// Who was speaking already when this device joined: no event names them before they pause.

import type { Contributor } from "./slots.ts";

/** Packets in this many looks in a row are a voice; fewer may be the tail of one. */
const LOOKS = 4;

/** Judges by the media until the first event about a participant, and never after it. */
export class Overheard {
  readonly #told = new Set<number>();
  readonly #seen = new Map<number, { timestamp: number; looks: number }>();

  /** An event spoke of the participant: from here on only events count. */
  tell(participantId: number): void {
    this.#told.add(participantId);
    this.#seen.delete(participantId);
  }

  /** Takes one look at a slot. Returns who is found to be speaking by it, each once. */
  look({ source, timestamp }: Contributor): number | undefined {
    if (this.#told.has(source)) return undefined;
    const seen = this.#seen.get(source);
    // Only whether it moves counts: browsers differ in the clock behind it.
    const looks = seen !== undefined && timestamp > seen.timestamp ? seen.looks + 1 : 0;
    this.#seen.set(source, { timestamp, looks });
    if (looks < LOOKS) return undefined;
    this.tell(source);
    return source;
  }

  clear(): void {
    this.#told.clear();
    this.#seen.clear();
  }
}

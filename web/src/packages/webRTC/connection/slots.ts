// Who is heard in which slot, and how loud. The voice itself says who it is: by its CSRC.

/** One entry of `RTCRtpReceiver.getContributingSources()`. */
export type Contributor = Pick<RTCRtpContributingSource, "source" | "timestamp">;

/** Volume of each participant by id, 0..=2. Who is not in it is not known. */
export type Volumes = ReadonlyMap<number, number>;

/**
 * What a slot carried last; its source is a participant id. Browsers list every source of the
 * last ten seconds, so at a change of owner there are two: the later one is heard.
 */
export function latest(contributors: readonly Contributor[]): Contributor | undefined {
  let found: Contributor | undefined;
  for (const contributor of contributors) {
    if (found === undefined || contributor.timestamp > found.timestamp) found = contributor;
  }
  return found;
}

/** Follows the owners of one call's slots. */
export class Slots {
  readonly #owners = new Map<string, number>();

  /**
   * The gain of slot `mid`: its owner's volume, 0 for an unknown owner. A slot that was silent for
   * so long that the browser forgot its owner keeps it, because slots are sticky: the first
   * syllable is not lost while the page finds out who speaks.
   */
  gain(mid: string, carried: Contributor | undefined, volumes: Volumes): number {
    const owner = carried?.source ?? this.#owners.get(mid);
    if (owner === undefined) return 0;
    this.#owners.set(mid, owner);
    return volumes.get(owner) ?? 0;
  }

  /** Forgets all owners: a new peer has new slots. */
  clear(): void {
    this.#owners.clear();
  }
}

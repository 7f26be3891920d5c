// Who is heard in which slot, and how loud. The voice itself says who it is: by its CSRC.

/** One entry of `RTCRtpReceiver.getContributingSources()`. */
export type Contributor = Pick<RTCRtpContributingSource, "source" | "timestamp">;

/** Volume of each participant by id, 0..=2. Who is not in it is not known. */
export type Volumes = ReadonlyMap<number, number>;

/**
 * The participant id that a slot last carried. Browsers list every source of the last ten
 * seconds, so at a change of owner there are two: the later one is heard.
 */
export function currentOwner(contributors: readonly Contributor[]): number | undefined {
  let latest: Contributor | undefined;
  for (const contributor of contributors) {
    if (latest === undefined || contributor.timestamp > latest.timestamp) latest = contributor;
  }
  return latest?.source;
}

/** Follows the owners of one call's slots. */
export class Slots {
  readonly #owners = new Map<string, number>();

  /**
   * The gain of slot `mid`: its owner's volume, 0 for an unknown owner. A slot that was silent for
   * so long that the browser forgot its owner keeps it, because slots are sticky: the first
   * syllable is not lost while the page finds out who speaks.
   */
  gain(mid: string, contributors: readonly Contributor[], volumes: Volumes): number {
    const owner = currentOwner(contributors) ?? this.#owners.get(mid);
    if (owner === undefined) return 0;
    this.#owners.set(mid, owner);
    return volumes.get(owner) ?? 0;
  }

  /** Forgets all owners: a new peer has new slots. */
  clear(): void {
    this.#owners.clear();
  }
}

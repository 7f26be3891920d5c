// What the connection panel shows, out of the browser's statistics. Rates need two readings.

/** The fields that are read of any `RTCStats`; browsers leave out what they do not measure. */
export type StatsEntry = {
  readonly id: string;
  readonly type: string;
  readonly [field: string]: unknown;
};

/** The counters of one reading. */
export type StatsSample = {
  readonly atMs: number;
  readonly bytesSent: number;
  readonly streams: ReadonlyMap<string, StreamSample>;
};

/** The counters of one received stream. */
type StreamSample = {
  readonly received: number;
  readonly lost: number;
  readonly concealed: number;
  readonly samples: number;
};

/** Numbers for people. Absent: not known. Loss and concealment: since the reading before. */
export type ConnectionDetails = {
  roundTripMs?: number;
  lossPercent?: number;
  jitterMs?: number;
  bitrateKbps?: number;
  /** Time that packets wait to be played in order. */
  bufferMs?: number;
  /** Share of the sound that the decoder had to invent. */
  concealedPercent?: number;
  codec?: string;
  /** What the sound is encrypted with, for example `AEAD_AES_128_GCM`. */
  cipher?: string;
  localCandidate?: string;
  remoteCandidate?: string;
};

function field(entry: StatsEntry | undefined, name: string): number {
  const value = entry?.[name];
  return typeof value === "number" ? value : 0;
}

function text(entry: StatsEntry | undefined, name: string): string | undefined {
  const value = entry?.[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function milliseconds(seconds: unknown): number | undefined {
  return typeof seconds === "number" ? seconds * 1000 : undefined;
}

function sum(entries: readonly StatsEntry[], name: string): number {
  return entries.reduce((total, entry) => total + field(entry, name), 0);
}

function selectedPair(entries: readonly StatsEntry[]): StatsEntry | undefined {
  const chosen = text(
    entries.find((entry) => entry.type === "transport"),
    "selectedCandidatePairId",
  );
  const pairs = entries.filter((entry) => entry.type === "candidate-pair");
  // Firefox has no `selectedCandidatePairId` but marks the pair itself.
  return (
    pairs.find((pair) => pair.id === chosen) ??
    pairs.find(
      (pair) => pair.selected === true || (pair.nominated === true && pair.state === "succeeded"),
    )
  );
}

function candidate(entries: readonly StatsEntry[], id: string | undefined): string | undefined {
  const entry = entries.find((one) => one.id === id);
  const kind = text(entry, "candidateType");
  return kind && [kind, text(entry, "protocol")].filter((part) => part !== undefined).join(" ");
}

function percent(part: number, whole: number): number | undefined {
  return whole > 0 ? (100 * Math.max(0, part)) / whole : undefined;
}

/** Drops what is undefined: an absent field is "unknown". */
function known(details: { [K in keyof ConnectionDetails]: ConnectionDetails[K] | undefined }) {
  const entries = Object.entries(details).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as ConnectionDetails;
}

/** Reads one report of `RTCPeerConnection.getStats()`; `before` is the sample of the last one. */
export function readStats(
  entries: readonly StatsEntry[],
  before: StatsSample | undefined,
  atMs: number,
): { details: ConnectionDetails; sample: StatsSample } {
  const inbound = entries.filter((entry) => entry.type === "inbound-rtp");
  const outbound = entries.filter((entry) => entry.type === "outbound-rtp");
  const sample: StatsSample = {
    atMs,
    bytesSent: sum(outbound, "bytesSent"),
    streams: new Map(inbound.map((entry) => [entry.id, streamSample(entry)])),
  };
  const pair = selectedPair(entries);
  const active = inbound.filter((entry) => field(entry, "packetsReceived") > 0);
  const jitters = active.map((entry) => field(entry, "jitter"));
  const emitted = sum(active, "jitterBufferEmittedCount");
  const [codec] = [...outbound, ...active].map((entry) => text(entry, "codecId"));
  const details = known({
    // In one machine it is measured as 0, which is known all the same.
    roundTripMs: milliseconds(pair?.currentRoundTripTime),
    jitterMs: jitters.length > 0 ? Math.max(...jitters) * 1000 : undefined,
    bufferMs: emitted > 0 ? (sum(active, "jitterBufferDelay") / emitted) * 1000 : undefined,
    codec: text(
      entries.find((entry) => entry.id === codec),
      "mimeType",
    ),
    cipher: text(
      entries.find((entry) => entry.type === "transport"),
      "srtpCipher",
    ),
    localCandidate: candidate(entries, text(pair, "localCandidateId")),
    remoteCandidate: candidate(entries, text(pair, "remoteCandidateId")),
    ...(before && rates(before, sample)),
  });
  return { details, sample };
}

function streamSample(entry: StatsEntry): StreamSample {
  return {
    received: field(entry, "packetsReceived"),
    lost: field(entry, "packetsLost"),
    concealed: field(entry, "concealedSamples") - field(entry, "silentConcealedSamples"),
    samples: field(entry, "totalSamplesReceived"),
  };
}

function rates(before: StatsSample, sample: StatsSample) {
  let [lost, expected, concealed, samples] = [0, 0, 0, 0];
  for (const [id, stream] of sample.streams) {
    const earlier = before.streams.get(id);
    // A slot in which nobody speaks is concealed all the time, and nobody misses anything.
    if (earlier === undefined || stream.received === earlier.received) continue;
    lost += stream.lost - earlier.lost;
    expected += stream.received - earlier.received + stream.lost - earlier.lost;
    concealed += stream.concealed - earlier.concealed;
    samples += stream.samples - earlier.samples;
  }
  const elapsedMs = sample.atMs - before.atMs;
  return {
    lossPercent: percent(lost, expected),
    concealedPercent: percent(concealed, samples),
    bitrateKbps:
      elapsedMs > 0 ? (8 * (sample.bytesSent - before.bytesSent)) / elapsedMs : undefined,
  };
}

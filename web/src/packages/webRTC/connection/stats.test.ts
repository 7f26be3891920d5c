import { describe, expect, test } from "vitest";
import { readStats } from "./stats.ts";

function report(packets: number, lost: number, bytes: number) {
  return [
    {
      id: "T",
      type: "transport",
      selectedCandidatePairId: "P",
      srtpCipher: "AEAD_AES_128_GCM",
    },
    { id: "Q", type: "candidate-pair", currentRoundTripTime: 9 },
    {
      id: "P",
      type: "candidate-pair",
      currentRoundTripTime: 0.02,
      localCandidateId: "L",
      remoteCandidateId: "R",
    },
    { id: "L", type: "local-candidate", candidateType: "prflx", protocol: "udp" },
    { id: "R", type: "remote-candidate", candidateType: "host", protocol: "udp" },
    { id: "C", type: "codec", mimeType: "audio/opus" },
    { id: "O", type: "outbound-rtp", codecId: "C", bytesSent: bytes },
    {
      id: "I",
      type: "inbound-rtp",
      codecId: "C",
      packetsReceived: packets,
      packetsLost: lost,
      jitter: 0.004,
      jitterBufferDelay: 40,
      jitterBufferEmittedCount: 1000,
      totalSamplesReceived: packets * 960,
      concealedSamples: lost * 960 + 5000,
      silentConcealedSamples: 5000,
    },
    {
      id: "J",
      type: "inbound-rtp",
      packetsReceived: 0,
      packetsLost: 0,
      jitter: 1,
      totalSamplesReceived: packets * 960,
      concealedSamples: packets * 960,
    },
  ];
}

describe("connection details", () => {
  test("come from the selected pair and the streams that carry sound", () => {
    const { details } = readStats(report(100, 0, 1000), undefined, 0);
    expect(details).toEqual({
      roundTripMs: 20,
      jitterMs: 4,
      bufferMs: 40,
      codec: "audio/opus",
      cipher: "AEAD_AES_128_GCM",
      localCandidate: "prflx udp",
      remoteCandidate: "host udp",
    });
  });

  test("rates are those since the reading before", () => {
    const first = readStats(report(100, 50, 1000), undefined, 1000).sample;
    const { details } = readStats(report(195, 55, 5000), first, 2000);
    expect(details.lossPercent).toBeCloseTo(5);
    expect(details.bitrateKbps).toBeCloseTo(32);
    expect(details.concealedPercent).toBeCloseTo(5.26, 1);
  });

  test("an empty report knows nothing", () => {
    expect(readStats([], undefined, 0).details).toEqual({});
    expect(readStats([], readStats([], undefined, 0).sample, 1000).details).toEqual({
      bitrateKbps: 0,
    });
  });

  test("a pair that only Firefox's flags name is found", () => {
    const [, , pair] = report(1, 0, 0);
    const { details } = readStats(
      [{ ...pair, id: "P", type: "candidate-pair", selected: true }],
      undefined,
      0,
    );
    expect(details.roundTripMs).toBe(20);
  });
});

// What a level meter and a speaking ring show of a block of samples.

import { clamp, SILENCE_DB, toDecibels } from "./decibels.ts";

/** A block's loudness: `rmsDb` as heard, `peakDb` for clipping. Both in dBFS. */
export type Level = { readonly rmsDb: number; readonly peakDb: number };

/** The level of no sound at all. */
export const SILENT: Level = { rmsDb: SILENCE_DB, peakDb: SILENCE_DB };

/** Mean of the squared samples, 0 for an empty block. */
export function meanSquare(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length === 0 ? 0 : sum / samples.length;
}

/** Largest absolute sample. */
export function peak(samples: Float32Array): number {
  let largest = 0;
  for (const sample of samples) largest = Math.max(largest, Math.abs(sample));
  return largest;
}

/** Measures a block. The RMS of a full-scale sine is -3 dBFS. */
export function measure(samples: Float32Array): Level {
  return { rmsDb: toDecibels(Math.sqrt(meanSquare(samples))), peakDb: toDecibels(peak(samples)) };
}

const FALL_DB_PER_S = 30;

/** Moves a shown level: up at once, down at 30 dB a second, so that the eye can follow. */
export function fall(shownDb: number, measuredDb: number, elapsedMs: number): number {
  const fallen = shownDb - (FALL_DB_PER_S * Math.max(0, elapsedMs)) / 1000;
  return clamp(Math.max(measuredDb, fallen), SILENCE_DB, 0);
}

const METER_FLOOR_DB = -60;

/** Where a level stands on a meter that shows -60..0 dBFS, 0..=1. */
export function meterFraction(db: number): number {
  return clamp((db - METER_FLOOR_DB) / -METER_FLOOR_DB, 0, 1);
}

const RING_FLOOR_DB = -55;
const RING_FULL_DB = -12;

/** How strong a speaking ring is drawn, 0..=1: nothing at -55 dBFS, full at -12 dBFS. */
export function ringStrength(db: number): number {
  return clamp((db - RING_FLOOR_DB) / (RING_FULL_DB - RING_FLOOR_DB), 0, 1);
}

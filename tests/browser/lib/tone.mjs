// Sine tones as microphones: a WAV file per frequency.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const RATE = 48_000;
const SECONDS = 10;
const dir = mkdtempSync(join(tmpdir(), "gryt-tones-"));

/** Writes a mono 16-bit WAV of whole periods, so that its repetition has no click. */
export function toneFile(hz, amplitude = 0.5) {
  const samples = RATE * SECONDS;
  const wav = Buffer.alloc(44 + samples * 2);
  wav.write("RIFF", 0);
  wav.writeUInt32LE(36 + samples * 2, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(RATE, 24);
  wav.writeUInt32LE(RATE * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(samples * 2, 40);
  for (let i = 0; i < samples; i++) {
    const value = Math.sin((2 * Math.PI * hz * i) / RATE) * amplitude;
    wav.writeInt16LE(Math.round(value * 32_767), 44 + i * 2);
  }
  const path = join(dir, `${hz}.wav`);
  writeFileSync(path, wav);
  return path;
}

// How strong the ring around the own picture is drawn, from what is really sent.

import { type RefObject, useEffect } from "react";
import { SILENCE_DB } from "../processors/decibels.ts";
import { fall, measure, ringStrength } from "../processors/meter.ts";
import { microphone } from "../processors/microphone.ts";

const INTERVAL_MS = 60;

/**
 * Writes `--ring` (0..1) to the element 16 times a second while `active`, without rendering.
 * Others' rings come from `speaking` of `useSFU`: their sound is not measured twice.
 */
export function useOwnRing(element: RefObject<HTMLElement | null>, active: boolean): void {
  useEffect(() => {
    if (!active) return;
    let shownDb = SILENCE_DB;
    const samples = new Float32Array(1024);
    const timer = setInterval(() => {
      const analyser = microphone.analyser();
      analyser?.getFloatTimeDomainData(samples);
      const level = analyser === undefined ? SILENCE_DB : measure(samples).rmsDb;
      shownDb = fall(shownDb, level, INTERVAL_MS);
      element.current?.style.setProperty("--ring", ringStrength(shownDb).toFixed(2));
    }, INTERVAL_MS);
    const target = element.current;
    return () => {
      clearInterval(timer);
      target?.style.removeProperty("--ring");
    };
  }, [element, active]);
}

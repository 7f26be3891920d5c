// Shows how loud the microphone is, and where the gate opens. Unstyled: the class names are hooks.

import { type CSSProperties, useEffect, useRef } from "react";
import { SILENCE_DB } from "../processors/decibels.ts";
import { fall, meterFraction } from "../processors/meter.ts";
import { microphone } from "../processors/microphone.ts";

/** Draws between the gate's reports, so that the bar moves like a needle and not in steps. */
function drawLevel(bar: HTMLElement): () => void {
  let shownDb = SILENCE_DB;
  let drawnAt = performance.now();
  let frame = requestAnimationFrame(function draw(now) {
    const { inputDb, open } = microphone.level();
    shownDb = fall(shownDb, inputDb, now - drawnAt);
    drawnAt = now;
    bar.style.setProperty("--level", meterFraction(shownDb).toFixed(3));
    bar.dataset.open = String(open);
    bar.setAttribute("aria-valuenow", String(Math.round(shownDb)));
    frame = requestAnimationFrame(draw);
  });
  return () => cancelAnimationFrame(frame);
}

/**
 * A meter from -60 to 0 dBFS. The class `microphone-meter` has `--level` and `--threshold` (0..1)
 * and `data-open` (the gate lets sound pass) for its style. The microphone has to be in use.
 */
export function MicrophoneMeter(props: {
  readonly thresholdDb?: number;
  readonly label?: string;
  readonly className?: string;
}) {
  const { thresholdDb = SILENCE_DB, label = "Microphone level", className = "" } = props;
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => (bar.current === null ? undefined : drawLevel(bar.current)), []);
  const style = { "--threshold": meterFraction(thresholdDb).toFixed(3) } as CSSProperties;
  return (
    // biome-ignore lint/a11y/useSemanticElements: <meter> cannot show the threshold beside the level.
    <div
      ref={bar}
      className={`microphone-meter ${className}`}
      style={style}
      role="meter"
      aria-label={label}
      aria-valuemin={-60}
      aria-valuemax={0}
      aria-valuenow={-60}
    >
      <span className="microphone-meter-level" />
      <span className="microphone-meter-threshold" />
    </div>
  );
}

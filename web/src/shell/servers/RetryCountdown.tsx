// When a server that does not answer is tried again.

import { useEffect, useState } from "react";
import { retryText } from "./retryText.ts";

const lookMs = 250;

/** Counts down to `atMs`. A screen reader reads it when asked, and not each second. */
export function RetryCountdown(props: { atMs: number }) {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), lookMs);
    return () => clearInterval(timer);
  }, []);
  return (
    <span className="countdown" role="timer" aria-live="off">
      {retryText(props.atMs, nowMs)}
    </span>
  );
}

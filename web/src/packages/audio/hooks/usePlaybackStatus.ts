// Tells whether the browser lets the page be heard.

import { useSyncExternalStore } from "react";
import { type ContextStatus, voiceContext } from "../processors/voiceContext.ts";

/** `blocked`: show a hint to click anywhere; the click itself starts the sound. */
export function usePlaybackStatus(): ContextStatus {
  return useSyncExternalStore(voiceContext.subscribe, voiceContext.status);
}

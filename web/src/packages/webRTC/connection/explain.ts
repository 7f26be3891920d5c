// What went wrong with a call, in words for a person.

import type { MicrophoneProblem } from "#audio";
import type { VoiceError } from "#socket";
import type { CallFailure, Refusal } from "./callTypes.ts";

const REFUSALS: Record<Refusal["cause"], string | undefined> = {
  forbidden: "You may not join this channel.",
  roomFull: "The channel is full. Try again when someone has left.",
  channelGone: "This channel no longer exists.",
  noNode: "Voice is not available at the moment. Try again shortly.",
  rateLimited: "That was too often at once. Wait a moment and try again.",
  server: "The server failed. Try again.",
  notInRoom: "The server ended the call. Join again.",
  badAnswer: "The server did not understand this browser. Try again, or update the browser.",
  staleOffer: "The call could not be set up. Try again.",
  other: undefined,
};

const FINAL: ReadonlySet<Refusal["cause"]> = new Set(["forbidden", "channelGone"]);

/** Explains why a call ended. */
export function explainFailure(failure: CallFailure): VoiceError {
  switch (failure.kind) {
    case "refused": {
      const { cause, message } = failure.refusal;
      return {
        code: cause,
        message: REFUSALS[cause] ?? (message || "The server refused."),
        canRetry: !FINAL.has(cause),
      };
    }
    case "mediaUnreachable":
      return {
        code: "media",
        message:
          "No sound gets through. A firewall may block UDP on this network: try another network, or ask its operator.",
        canRetry: true,
      };
    case "serverUnreachable":
      return { code: "lost", message: "The server cannot be reached.", canRetry: true };
    case "channelDeleted":
      return { code: "channelDeleted", message: "The channel was deleted.", canRetry: false };
    case "replaced":
      return {
        code: "replaced",
        message: "You joined with another tab or device, so this one left.",
        canRetry: true,
        retryLabel: "Join here instead",
      };
    case "browser":
      return {
        code: "media",
        message: "This browser cannot take part in the call. Update it, or try another one.",
        canRetry: true,
      };
  }
}

const MICROPHONE: Record<MicrophoneProblem, string> = {
  denied:
    "The browser blocks the microphone. Allow it beside the address of this page; until then you can listen.",
  missing: "No microphone was found. Plug one in; until then you can listen.",
  busy: "Another program holds the microphone. Close it and try again; until then you can listen.",
  insecure:
    "Browsers give the microphone to https and localhost pages only. Open this server by https to speak.",
  unplugged: "The microphone was unplugged. Plug one in; until then you can listen.",
  unsupported: "This browser gives pages no microphone. You can listen.",
  unknown: "The microphone could not be opened. Try again; until then you can listen.",
};

const HOPELESS: ReadonlySet<MicrophoneProblem> = new Set(["insecure", "unsupported"]);

/** Explains why nobody hears this device. */
export function explainMicrophone(problem: MicrophoneProblem): VoiceError {
  return { code: "microphone", message: MICROPHONE[problem], canRetry: !HOPELESS.has(problem) };
}

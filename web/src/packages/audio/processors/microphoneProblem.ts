// Why there is no microphone, in the words the interface uses.

/**
 * `denied`: the person or a policy said no. `missing`: no such device. `busy`: another program
 * holds it. `insecure`: browsers give it to https and localhost only. `unplugged`: it went away.
 */
export type MicrophoneProblem =
  | "denied"
  | "missing"
  | "busy"
  | "insecure"
  | "unplugged"
  | "unsupported"
  | "unknown";

/** Names the problem behind a rejected `getUserMedia` (Media Capture and Streams, section 10.2). */
export function problemOf(error: unknown): MicrophoneProblem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    case "SecurityError":
      return "insecure";
    default:
      return "unknown";
  }
}

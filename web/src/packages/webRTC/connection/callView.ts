// What the interface shows of a call's phase.

import type { CallFailure, CallPhase, VoiceFlags } from "./callTypes.ts";

/** The state of a call in the words of the interface. */
export type CallView = {
  readonly state: "idle" | "joining" | "connected" | "reconnecting" | "failed";
  readonly channelId: string | undefined;
  readonly participantId: number | undefined;
  readonly failure: CallFailure | undefined;
  readonly listenOnly: boolean;
  readonly muted: boolean;
  readonly deafened: boolean;
};

/** Shows a phase. `wanted`: what the person chose; `microphone`: whether there is one. */
export function viewOf(phase: CallPhase, wanted: VoiceFlags, microphone: boolean): CallView {
  const wish = "wish" in phase ? phase.wish : undefined;
  return {
    state: stateOf(phase),
    channelId: phase.kind === "failed" ? phase.channelId : wish?.channelId,
    participantId: phase.kind === "seated" ? phase.participantId : undefined,
    failure: phase.kind === "failed" ? phase.failure : undefined,
    listenOnly: wish !== undefined && (wish.listenOnly || !microphone),
    muted: wanted.muted || wanted.deafened,
    deafened: wanted.deafened,
  };
}

function stateOf(phase: CallPhase): CallView["state"] {
  switch (phase.kind) {
    case "idle":
    case "failed":
      return phase.kind;
    case "joining":
    case "waiting":
      return phase.wish.wasConnected ? "reconnecting" : "joining";
    case "seated":
      if (phase.media === "connected") return "connected";
      return phase.wish.wasConnected ? "reconnecting" : "joining";
  }
}

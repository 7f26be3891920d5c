// Voice calls: the peer connection to the SFU, and what components show of it.

export type { ConnectionDetails } from "./connection/stats.ts";
export { dropVoiceCall } from "./connection/voiceCalls.ts";
export { usePeerConnection } from "./hooks/usePeerConnection.ts";
export { useSFU } from "./hooks/useSFU.ts";
export type { VoiceLink } from "./signaling/voiceSignals.ts";

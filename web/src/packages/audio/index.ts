// Sound on this device: the microphone and its pipeline, playback, devices, meters.

export { type AudioDevices, useAudioDevices } from "./hooks/useAudioDevices.ts";
export { type MicrophoneHandle, useMicrophone } from "./hooks/useMicrophone.ts";
export { usePlaybackStatus } from "./hooks/usePlaybackStatus.ts";
export type { AudioOptions } from "./options.ts";
export type { CaptureState } from "./processors/capture.ts";
export { type Microphone, microphone } from "./processors/microphone.ts";
export type { MicrophoneProblem } from "./processors/microphoneProblem.ts";
export { Playback } from "./processors/playback.ts";
export { microphonePresence } from "./processors/presence.ts";
export type { ContextStatus } from "./processors/voiceContext.ts";
export { MicrophoneMeter } from "./visualization/MicrophoneMeter.tsx";
export { useOwnRing } from "./visualization/useOwnRing.ts";

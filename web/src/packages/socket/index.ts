// Connections to servers, and what is known about each of them.

export type {
  Answer,
  ConnectionNotice,
  ConnectionPhase,
  Outcome,
  Request,
  ServerAddress,
  ServerConnection,
  StopReason,
} from "./types/connection.ts";
export type { VoiceError, VoicePhase, VoiceSession, VoiceStats } from "./types/voice.ts";

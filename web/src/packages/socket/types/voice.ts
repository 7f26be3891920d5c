// The voice session as the shell sees it: what `useSFU` of the package webRTC returns.

/** Why joining or staying failed, in words for a person, and whether trying again makes sense. */
export interface VoiceError {
  /** Stable, for branching: a `Reason` name in camelCase, or `microphone`, `media`, `lost`. */
  code: string;
  /** One sentence that says what to do. */
  message: string;
  canRetry: boolean;
  /** What trying again is called where that is not just trying again. */
  retryLabel?: string;
}

export type VoicePhase = "idle" | "joining" | "connected" | "reconnecting" | "failed";

/** What the connection panel shows. Absent values are unknown. */
export interface VoiceStats {
  roundTripMs?: number;
  lossPercent?: number;
  jitterMs?: number;
  bitrateKbps?: number;
}

/** The live session of one voice channel, on this device. */
export interface VoiceSession {
  state: VoicePhase;
  /** The voice channel joined or being joined. */
  channelId: string | undefined;
  /** The session's own participant in the room. */
  participantId: number | undefined;
  error: VoiceError | undefined;
  /** In the room without a microphone. */
  listenOnly: boolean;
  muted: boolean;
  deafened: boolean;
  /** Participant ids that are audible at the moment, the own one included. */
  speaking: ReadonlySet<number>;
  stats: VoiceStats;
  join(channelId: string): Promise<void>;
  leave(): Promise<void>;
  setMuted(muted: boolean): void;
  setDeafened(deafened: boolean): void;
  /** `volume`: 0..2, 1 is as sent. Of a member, on this device, remembered by settings. */
  setVolume(memberId: string, volume: number): void;
}

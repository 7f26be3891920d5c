// What happens to a call, what has to be done about it, and where it stands.

/** An SDP offer of the SFU. Revisions ascend within one participant's seat. */
export type Offer = {
  readonly channelId: string;
  readonly participantId: number;
  readonly revision: number;
  readonly sdp: string;
};

/** What others see of this device. */
export type VoiceFlags = { readonly muted: boolean; readonly deafened: boolean };

/** Why a request was refused, as far as a call goes on differently. */
export type Refusal = {
  readonly cause:
    | "forbidden"
    | "roomFull"
    | "channelGone"
    | "noNode"
    | "rateLimited"
    | "server"
    | "notInRoom"
    | "badAnswer"
    | "staleOffer"
    | "other";
  readonly message: string;
  readonly retryAfterMs: number;
};

/** Why a seat was taken away. */
export type SeatEnd = "channelDeleted" | "mediaLost" | "nodeLost" | "replaced";

/** Why a call could not be or go on. */
export type CallFailure =
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** No media path: most often a firewall that stops UDP. */
  | { readonly kind: "mediaUnreachable" }
  /** The socket is away, and a new seat needs it. Goes on by itself. */
  | { readonly kind: "serverUnreachable" }
  | { readonly kind: "channelDeleted" }
  /** The person joined with another tab or device. */
  | { readonly kind: "replaced" }
  /** The browser could not take the server's offer. */
  | { readonly kind: "browser" };

export type Timer = "retry" | "media";

/** Something that happened. Replies name the attempt that they belong to; late ones are ignored. */
export type CallEvent =
  | { readonly kind: "join"; readonly channelId: string; readonly listenOnly: boolean }
  /** The person's call on another device or tab, which this one is about to take over. */
  | { readonly kind: "elsewhere"; readonly flags: VoiceFlags }
  | { readonly kind: "leave" }
  | { readonly kind: "setMuted"; readonly muted: boolean }
  | { readonly kind: "setDeafened"; readonly deafened: boolean }
  /** Whether the device has a microphone to speak into, once known. */
  | { readonly kind: "microphone"; readonly available: boolean }
  | { readonly kind: "joinAccepted"; readonly attempt: number; readonly offer: Offer }
  | { readonly kind: "joinRefused"; readonly attempt: number; readonly refusal: Refusal }
  | {
      readonly kind: "answerMade";
      readonly attempt: number;
      readonly revision: number;
      readonly sdp: string;
    }
  | { readonly kind: "answerFailed"; readonly attempt: number; readonly revision: number }
  | { readonly kind: "answerAccepted"; readonly attempt: number; readonly revision: number }
  | {
      readonly kind: "answerRefused";
      readonly attempt: number;
      readonly revision: number;
      readonly refusal: Refusal;
    }
  | { readonly kind: "offered"; readonly offer: Offer }
  /** The server does not know the seat as this session's: it was given up meanwhile. */
  | { readonly kind: "seatUnknown"; readonly attempt: number }
  | { readonly kind: "seatEnded"; readonly channelId: string; readonly end: SeatEnd }
  | { readonly kind: "mediaConnected"; readonly attempt: number }
  /** No answer from the other side for some seconds; it may come back by itself. */
  | { readonly kind: "mediaInterrupted"; readonly attempt: number }
  | { readonly kind: "mediaFailed"; readonly attempt: number }
  | { readonly kind: "socketLost" }
  /** `seats`: everyone who is in a room now, the own seat among them if it was kept. */
  | {
      readonly kind: "socketResumed";
      readonly seats: readonly Pick<Offer, "channelId" | "participantId">[];
    }
  | { readonly kind: "timeout"; readonly timer: Timer };

/** Something to do. */
export type CallEffect =
  | { readonly kind: "startAudio" }
  | { readonly kind: "stopAudio" }
  | { readonly kind: "acquireMicrophone" }
  | { readonly kind: "releaseMicrophone" }
  | { readonly kind: "openPeer"; readonly attempt: number }
  | { readonly kind: "closePeer"; readonly attempt: number }
  | {
      readonly kind: "requestJoin";
      readonly attempt: number;
      readonly channelId: string;
      readonly listenOnly: boolean;
      readonly flags: VoiceFlags;
    }
  | { readonly kind: "requestLeave" }
  | { readonly kind: "answer"; readonly attempt: number; readonly offer: Offer }
  | {
      readonly kind: "sendAnswer";
      readonly attempt: number;
      readonly channelId: string;
      readonly revision: number;
      readonly sdp: string;
    }
  | { readonly kind: "sendFlags"; readonly attempt: number; readonly flags: VoiceFlags }
  | { readonly kind: "applyFlags"; readonly flags: VoiceFlags }
  | { readonly kind: "startTimer"; readonly timer: Timer; readonly afterMs: number }
  | { readonly kind: "stopTimer"; readonly timer: Timer };

/** One offer is answered at a time; a newer one waits, and only the newest is kept. */
export type Negotiation =
  | { readonly step: "answering"; readonly offer: Offer; readonly next: Offer | undefined }
  | {
      readonly step: "sending";
      readonly offer: Offer;
      readonly sdp: string;
      readonly next: Offer | undefined;
    }
  | { readonly step: "stable"; readonly revision: number };

/** What stays the same over the attempts of one call. */
export type Wish = {
  readonly channelId: string;
  readonly listenOnly: boolean;
  /** Attempts in a row without media. */
  readonly tries: number;
  /** Once heard, a call is worth more patience. */
  readonly wasConnected: boolean;
};

/** Where the call stands. A peer exists while `joining` or `seated`. */
export type CallPhase =
  | { readonly kind: "idle" }
  | { readonly kind: "failed"; readonly channelId: string; readonly failure: CallFailure }
  | {
      readonly kind: "joining";
      readonly wish: Wish;
      readonly attempt: number;
      /** An offer event can overtake the reply to the request. */
      readonly early: Offer | undefined;
    }
  | {
      readonly kind: "waiting";
      readonly wish: Wish;
      readonly until: "retry" | "socket";
      readonly cause: CallFailure;
    }
  | {
      readonly kind: "seated";
      readonly wish: Wish;
      readonly attempt: number;
      readonly participantId: number;
      readonly negotiation: Negotiation;
      readonly media: "connecting" | "connected" | "interrupted";
    };

// Connections to servers, and what is known about each of them.

export { parseAddress } from "./auth/address.ts";
export { type Discovery, type DiscoveryFailure, discover, type Issuer } from "./auth/discovery.ts";
export { checkInvite, type InviteAnswer, inviteIn } from "./auth/invite.ts";
export { returningTo, signedInPath } from "./auth/signIn.ts";
export { SocketsProvider } from "./components/SocketsProvider.tsx";
export type { ServerLink } from "./connection/serverLink.ts";
export { Sockets } from "./connection/sockets.ts";
export { explainRefusal } from "./explain.ts";
export { useServerState } from "./hooks/useServerState.ts";
export { useSockets } from "./hooks/useSockets.ts";
export { outranks, permits } from "./permissions.ts";
export { type ChannelMessages, noMessages } from "./state/messages.ts";
export { type ServerState, speakerKey } from "./state/serverState.ts";
export type {
  Answer,
  ConnectionNotice,
  ConnectionPhase,
  Outcome,
  Request,
  ServerAddress,
  ServerConnection,
  SignedOutReason,
  StopReason,
} from "./types/connection.ts";
export type { VoiceError, VoicePhase, VoiceSession, VoiceStats } from "./types/voice.ts";

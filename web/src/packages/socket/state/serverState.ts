// What this client knows about one server, as a reducer over what its connection reports.
// Applying the same notice twice changes nothing.

import type { Channel, Member, Message, Participant, Server } from "#proto/model";
import type { Event, Live, Welcome } from "#proto/socket";
import type { Discovery, DiscoveryFailure, DiscoveryResult } from "../auth/discovery.ts";
import type { ConnectionNotice, ConnectionPhase } from "../types/connection.ts";
import { type ChannelMessages, merge, mergePage, noMessages, remove } from "./messages.ts";

export interface ServerState {
  readonly phase: ConnectionPhase;
  /** What the address last said about itself. */
  readonly discovery: Discovery | undefined;
  /** Why it said nothing the last time it was asked. */
  readonly failure: DiscoveryFailure | undefined;
  /** Absent until the first welcome. */
  readonly server: Server | undefined;
  readonly me: Member | undefined;
  /** Whether the server makes invites at all. */
  readonly hasInvites: boolean;
  /** In the order of the channel list. */
  readonly channels: readonly Channel[];
  readonly members: ReadonlyMap<string, Member>;
  readonly online: ReadonlySet<string>;
  /** Everyone in a room, in the order in which they joined. */
  readonly participants: readonly Participant[];
  /** `<channel id> <participant id>` of everyone who speaks. */
  readonly speaking: ReadonlySet<string>;
  /** By channel id. */
  readonly messages: ReadonlyMap<string, ChannelMessages>;
}

export const unknownServer: ServerState = {
  phase: { kind: "connecting" },
  discovery: undefined,
  failure: undefined,
  server: undefined,
  me: undefined,
  hasInvites: false,
  channels: [],
  members: new Map(),
  online: new Set(),
  participants: [],
  speaking: new Set(),
  messages: new Map(),
};

/** A fetched page of messages, which is no notice of the connection. */
interface PageFetched {
  kind: "page";
  channelId: string;
  messages: readonly Message[];
  hasOlder: boolean;
}

/** A message that a reply carried. */
interface MessageAcknowledged {
  kind: "message";
  message: Message;
}

export type StateInput =
  | ConnectionNotice
  | PageFetched
  | MessageAcknowledged
  | { kind: "discovery"; result: DiscoveryResult };

/** The key of a participant in `speaking`. */
export function speakerKey(channelId: string, participantId: number): string {
  return `${channelId} ${participantId}`;
}

/** The next state. */
export function reduce(state: ServerState, input: StateInput): ServerState {
  switch (input.kind) {
    case "phase":
      // Signed out: the next person must not see what this one could.
      if (input.phase.kind === "signedOut") return { ...forgotten(state), phase: input.phase };
      return { ...state, phase: input.phase };
    case "welcome":
      return applyWelcome(state, input.welcome);
    case "event":
      return applyEvent(state, input.event);
    case "page":
      return changeMessages(state, input.channelId, (known) =>
        mergePage(known, input.messages, input.hasOlder),
      );
    case "message":
      return addMessage(state, input.message);
    case "discovery":
      return input.result.kind === "found"
        ? { ...state, discovery: input.result.discovery, failure: undefined }
        : { ...state, failure: input.result.failure };
  }
}

/** Keeps only what the connection and the address tell without a session. */
function forgotten({ phase, discovery, failure }: ServerState): ServerState {
  return { ...unknownServer, phase, discovery, failure };
}

function applyWelcome(state: ServerState, welcome: Welcome): ServerState {
  const known: ServerState = {
    ...(welcome.resumed ? state : forgotten(state)),
    server: welcome.server,
    me: welcome.me,
    hasInvites: welcome.hasInvites,
  };
  const live = applyLive(known, welcome.live);
  const { snapshot } = welcome;
  if (snapshot === undefined) return live;
  return {
    ...live,
    channels: ordered(snapshot.channels),
    members: new Map(snapshot.members.map((member) => [member.memberId, member])),
  };
}

function applyLive(state: ServerState, live: Live | undefined): ServerState {
  return {
    ...state,
    online: new Set(live?.onlineMemberIds),
    participants: live?.participants ?? [],
    speaking: new Set(),
  };
}

function applyEvent(state: ServerState, { event }: Event): ServerState {
  switch (event.case) {
    case "messageCreated":
    case "messageEdited":
      return addMessage(state, event.value);
    case "messageDeleted":
      return changeMessages(state, event.value.channelId, (known) =>
        remove(known, event.value.messageId),
      );
    case "channelCreated":
    case "channelUpdated":
      return { ...state, channels: putChannel(state.channels, event.value) };
    case "channelDeleted":
      return dropChannel(state, event.value.channelId);
    case "memberUpdated":
      return putMember(state, event.value);
    case "presenceChanged":
      return { ...state, online: toggled(state.online, event.value.memberId, event.value.online) };
    case "participantJoined":
    case "participantUpdated":
      return { ...state, participants: putParticipant(state.participants, event.value) };
    case "participantLeft":
      return dropParticipant(state, event.value.channelId, event.value.participantId);
    case "speakingChanged": {
      const { channelId, participantId, speaking } = event.value;
      const key = speakerKey(channelId, participantId);
      return { ...state, speaking: toggled(state.speaking, key, speaking) };
    }
    case "voiceOffer":
    case "voiceEnded":
    case undefined:
      return state;
  }
}

function changeMessages(
  state: ServerState,
  channelId: string,
  change: (known: ChannelMessages) => ChannelMessages,
): ServerState {
  const changed = change(state.messages.get(channelId) ?? noMessages);
  return { ...state, messages: new Map(state.messages).set(channelId, changed) };
}

function addMessage(state: ServerState, message: Message): ServerState {
  return changeMessages(state, message.channelId, (known) => merge(known, [message]));
}

function ordered(channels: readonly Channel[]): Channel[] {
  return [...channels].sort(
    (a, b) => a.position - b.position || (a.channelId < b.channelId ? -1 : 1),
  );
}

function putChannel(channels: readonly Channel[], channel: Channel): Channel[] {
  return ordered([...channels.filter((c) => c.channelId !== channel.channelId), channel]);
}

function dropChannel(state: ServerState, channelId: string): ServerState {
  const messages = new Map(state.messages);
  messages.delete(channelId);
  return {
    ...state,
    messages,
    channels: state.channels.filter((channel) => channel.channelId !== channelId),
    participants: state.participants.filter((participant) => participant.channelId !== channelId),
  };
}

function putMember(state: ServerState, member: Member): ServerState {
  return {
    ...state,
    members: new Map(state.members).set(member.memberId, member),
    me: state.me?.memberId === member.memberId ? member : state.me,
  };
}

function isSame(a: Participant, channelId: string, participantId: number): boolean {
  return a.channelId === channelId && a.participantId === participantId;
}

function putParticipant(participants: readonly Participant[], found: Participant): Participant[] {
  const index = participants.findIndex((p) => isSame(p, found.channelId, found.participantId));
  return index < 0 ? [...participants, found] : participants.with(index, found);
}

function dropParticipant(
  state: ServerState,
  channelId: string,
  participantId: number,
): ServerState {
  return {
    ...state,
    participants: state.participants.filter((p) => !isSame(p, channelId, participantId)),
    speaking: toggled(state.speaking, speakerKey(channelId, participantId), false),
  };
}

function toggled(set: ReadonlySet<string>, key: string, present: boolean): ReadonlySet<string> {
  if (set.has(key) === present) return set;
  const next = new Set(set);
  if (present) next.add(key);
  else next.delete(key);
  return next;
}

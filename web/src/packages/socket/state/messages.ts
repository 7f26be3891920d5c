// The known messages of one channel: ascending by id, each once, whatever arrives in which order.

import type { Message } from "#proto/model";

/** What this client holds of a channel. */
export interface ChannelMessages {
  /** Ascending ids without a gap. A deleted message stays, empty, so that no late copy revives it. */
  readonly messages: readonly Message[];
  /** Whether a first page was fetched. Before that `messages` holds only what arrived live. */
  readonly loaded: boolean;
  /** Whether the server has older ones. */
  readonly hasOlder: boolean;
}

export const noMessages: ChannelMessages = { messages: [], loaded: false, hasOlder: true };

/** An unopened channel keeps at most this many live messages; the first page covers the others. */
const unopenedLimit = 100;

/** Whether nothing is left of a message: it was deleted. */
function isEmptied(message: Message): boolean {
  return message.text === "" && message.attachments.length === 0;
}

function newer(known: Message, found: Message): Message {
  if (isEmptied(known)) return known;
  if (isEmptied(found)) return found;
  return found.editedAtMs > known.editedAtMs ? found : known;
}

/** Adds or replaces messages by id. */
export function merge(known: ChannelMessages, found: readonly Message[]): ChannelMessages {
  const last = known.messages.at(-1);
  const [only] = found;
  let messages: readonly Message[];
  if (found.length === 1 && only && (last === undefined || only.messageId > last.messageId)) {
    messages = [...known.messages, only];
  } else {
    const byId = new Map(known.messages.map((message) => [message.messageId, message]));
    for (const message of found) {
      const twin = byId.get(message.messageId);
      byId.set(message.messageId, twin ? newer(twin, message) : message);
    }
    messages = [...byId.values()].sort((a, b) => (a.messageId < b.messageId ? -1 : 1));
  }
  if (!known.loaded) messages = messages.slice(-unopenedLimit);
  return { ...known, messages };
}

/** Adds a page. `hasOlder`: as the server said of the page. */
export function mergePage(
  known: ChannelMessages,
  page: readonly Message[],
  hasOlder: boolean,
): ChannelMessages {
  return { ...merge({ ...known, loaded: true }, page), hasOlder };
}

/** Empties a message. One that is not known stays unknown: its page will tell. */
export function remove(known: ChannelMessages, messageId: bigint): ChannelMessages {
  const messages = known.messages.map((message) =>
    message.messageId === messageId ? { ...message, text: "", attachments: [] } : message,
  );
  return { ...known, messages };
}

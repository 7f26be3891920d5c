// How far each channel was read on this device.

import { type Settings, settings } from "#settings";
import type { ServerState } from "#socket";

function key(address: string, channelId: string): string {
  return `${address} ${channelId}`;
}

/** The newest message read. Undefined: the channel was never looked at. */
export function readUpTo(stored: Settings, address: string, channelId: string): bigint | undefined {
  const text = stored.readMessages[key(address, channelId)];
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

/** Everything up to `messageId` is read. Never goes back. */
export function markRead(address: string, channelId: string, messageId: bigint): void {
  const known = readUpTo(settings.read(), address, channelId);
  if (known !== undefined && known >= messageId) return;
  settings.update(({ readMessages }) => ({
    readMessages: { ...readMessages, [key(address, channelId)]: String(messageId) },
  }));
}

/** How many of the known messages of others came after the last look. */
export function unreadCount(
  state: ServerState,
  channelId: string,
  readUpToId: bigint | undefined,
): number {
  if (readUpToId === undefined) return 0;
  const messages = state.messages.get(channelId)?.messages ?? [];
  let count = 0;
  for (let i = messages.length - 1; i >= 0; i -= 1) {
    const message = messages[i];
    if (!message || message.messageId <= readUpToId) break;
    if (message.text !== "" && message.memberId !== state.me?.memberId) count += 1;
  }
  return count;
}

// A deleted message stays in the list of known ones, empty, and is not shown.

import type { Message } from "#proto/model";

export function isEmptied(message: Message): boolean {
  return message.text === "" && message.attachments.length === 0;
}

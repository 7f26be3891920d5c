// Which channel or server comes next.

import { type Channel, ChannelKind } from "#proto/model";

/** The chosen channel, or the first text channel when that is gone. */
export function chosenChannel(
  channels: readonly Channel[],
  chosenId: string | undefined,
): Channel | undefined {
  return (
    channels.find((channel) => channel.channelId === chosenId) ??
    channels.find((channel) => channel.kind === ChannelKind.TEXT) ??
    channels[0]
  );
}

/** The neighbor `step` places on, around the ends. */
export function neighbor<T>(
  items: readonly T[],
  current: T | undefined,
  step: number,
): T | undefined {
  if (items.length === 0) return undefined;
  const index = current === undefined ? -1 : items.indexOf(current);
  if (index < 0) return items[0];
  return items[(index + step + items.length) % items.length];
}

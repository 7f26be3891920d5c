// Marks a channel read while it is really looked at, and remembers where the unread part began.

import { useEffect, useState } from "react";
import { settings } from "#settings";
import { markRead, readUpTo } from "../readMarks.ts";

/**
 * Returns the id up to which the channel was read when it was opened or the page was last left.
 * `newest`: the newest known message. `atEnd`: whether the end of the list is in view.
 */
export function useReadMark(
  address: string,
  channelId: string,
  newest: bigint | undefined,
  atEnd: boolean,
): bigint | undefined {
  const [mark, setMark] = useState(() => readUpTo(settings.read(), address, channelId));
  const [visible, setVisible] = useState(!document.hidden);

  useEffect(() => {
    const follow = () => {
      setVisible(!document.hidden);
      if (document.hidden) setMark(readUpTo(settings.read(), address, channelId));
    };
    document.addEventListener("visibilitychange", follow);
    return () => document.removeEventListener("visibilitychange", follow);
  }, [address, channelId]);

  useEffect(() => {
    if (visible && atEnd && newest !== undefined) markRead(address, channelId, newest);
  }, [visible, atEnd, newest, address, channelId]);

  return mark;
}

// Reads new messages of others to people who hear the page. The visible list is virtual, so it
// cannot be a live region itself.

import { useEffect, useRef, useState } from "react";
import type { Member, Message } from "#proto/model";

export function NewMessageAnnouncer(props: {
  messages: readonly Message[];
  members: ReadonlyMap<string, Member>;
  myMemberId: string;
}) {
  const { messages, members, myMemberId } = props;
  const [announcement, setAnnouncement] = useState("");
  const announced = useRef<bigint | undefined>(undefined);
  const last = messages.at(-1);

  useEffect(() => {
    const before = announced.current;
    if (!last || before === last.messageId) return;
    announced.current = last.messageId;
    if (before === undefined || last.messageId < before) return;
    if (last.memberId === myMemberId || last.text === "") return;
    setAnnouncement(`${members.get(last.memberId)?.name ?? "Someone"}: ${last.text.slice(0, 300)}`);
  }, [last, members, myMemberId]);

  return (
    <p className="visually-hidden" aria-live="polite">
      {announcement}
    </p>
  );
}

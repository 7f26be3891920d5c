// A message that the server has not acknowledged yet.

import { CircleAlert } from "lucide-react";
import type { Member } from "#proto/model";
import { Avatar, Button } from "#ui";
import type { PendingMessage } from "../outbox/outbox.ts";
import type { ServerOutbox } from "../outbox/outboxOf.ts";
import { MessageText } from "./MessageText.tsx";

const labels = { waiting: "Waiting to send", sending: "Sending", failed: "Not sent" } as const;

export function PendingRow(props: {
  pending: PendingMessage;
  me: Member | undefined;
  continues: boolean;
  outbox: ServerOutbox;
}) {
  const { pending, me, outbox } = props;
  const name = me?.name ?? "";
  return (
    <article
      className="message"
      data-continues={props.continues}
      data-pending={pending.state}
      aria-label={`${name}, ${labels[pending.state]}`}
    >
      {props.continues ? <span /> : <Avatar id={me?.memberId ?? ""} name={name} size={38} />}
      <div className="message-body">
        {!props.continues && (
          <header className="message-head">
            <span className="message-author">{name}</span>
          </header>
        )}
        {pending.text !== "" && <MessageText text={pending.text} />}
        {pending.files.map(({ ticket, name }) => (
          <span key={ticket} className="file-detail">
            {name}
          </span>
        ))}
        {pending.state === "failed" ? (
          <div className="pending-failed" role="alert">
            <CircleAlert size={16} aria-hidden="true" />
            <span>Not sent. {pending.problem}</span>
            <Button onClick={() => outbox.retry(pending.nonce)}>Try again</Button>
            <Button tone="plain" onClick={() => outbox.discard(pending.nonce)}>
              Discard
            </Button>
          </div>
        ) : (
          <span className="message-edited">{labels[pending.state]}…</span>
        )}
      </div>
    </article>
  );
}

// One message in the list, with its actions.

import { Copy, Pencil, Trash2 } from "lucide-react";
import { memo, useEffect, useRef } from "react";
import type { Member, Message } from "#proto/model";
import type { ServerLink } from "#socket";
import { Avatar, IconButton } from "#ui";
import { fullTimeText, timeText } from "../rows/clock.ts";
import { EditMessage } from "./EditMessage.tsx";
import { MessageFiles } from "./MessageFiles.tsx";
import { MessageText } from "./MessageText.tsx";

export interface MessageActions {
  edit: (message: Message) => void;
  save: (message: Message, text: string) => Promise<string | undefined>;
  endEdit: () => void;
  remove: (message: Message) => void;
  copy: (message: Message) => void;
}

export const MessageRow = memo(function MessageRow(props: {
  link: ServerLink;
  message: Message;
  author: Member | undefined;
  continues: boolean;
  /** The one message that the Tab key reaches; the arrow keys move on from it. */
  isStop: boolean;
  wantsFocus: boolean;
  isEditing: boolean;
  mayEdit: boolean;
  mayRemove: boolean;
  actions: MessageActions;
}) {
  const { message, author, actions, isStop } = props;
  const row = useRef<HTMLElement>(null);
  useEffect(() => {
    if (props.wantsFocus) row.current?.focus({ preventScroll: true });
  }, [props.wantsFocus]);
  const atMs = Number(message.createdAtMs);
  const name = author?.name ?? "Former member";
  const buttonTab = isStop ? 0 : -1;
  return (
    <article
      ref={row}
      className="message"
      data-continues={props.continues}
      data-message-id={String(message.messageId)}
      aria-label={`${name}, ${timeText(atMs)}`}
      tabIndex={isStop ? 0 : -1}
    >
      {props.continues ? (
        <time className="message-side-time" dateTime={new Date(atMs).toISOString()}>
          {timeText(atMs)}
        </time>
      ) : (
        <Avatar id={message.memberId} name={name} size={38} />
      )}
      <div className="message-body">
        {!props.continues && (
          <header className="message-head">
            <span className="message-author">{name}</span>
            <time dateTime={new Date(atMs).toISOString()} title={fullTimeText(atMs)}>
              {timeText(atMs)}
            </time>
          </header>
        )}
        {props.isEditing ? (
          <EditMessage message={message} onSave={actions.save} onEnd={actions.endEdit} />
        ) : (
          message.text !== "" && <MessageText text={message.text} />
        )}
        <MessageFiles link={props.link} message={message} tabIndex={buttonTab} />
        {message.editedAtMs > 0n && !props.isEditing && (
          <span className="message-edited" title={fullTimeText(Number(message.editedAtMs))}>
            edited
          </span>
        )}
      </div>
      {!props.isEditing && (
        <div className="message-actions" role="toolbar" aria-label="Message actions">
          <IconButton
            label="Copy text"
            size="small"
            tabIndex={buttonTab}
            onClick={() => actions.copy(message)}
          >
            <Copy size={16} />
          </IconButton>
          {props.mayEdit && (
            <IconButton
              label="Edit message"
              size="small"
              tabIndex={buttonTab}
              onClick={() => actions.edit(message)}
            >
              <Pencil size={16} />
            </IconButton>
          )}
          {props.mayRemove && (
            <IconButton
              label="Delete message"
              size="small"
              tabIndex={buttonTab}
              onClick={() => actions.remove(message)}
            >
              <Trash2 size={16} />
            </IconButton>
          )}
        </div>
      )}
    </article>
  );
});

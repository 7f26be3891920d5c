// A text channel: its messages and the composer.

import { useCallback, useMemo, useState } from "react";
import type { Channel, Message } from "#proto/model";
import { explainRefusal, permits, type ServerLink, useServerState } from "#socket";
import { Button, Confirm, Loading, Notice } from "#ui";
import { useHistory } from "../hooks/useHistory.ts";
import { useOutbox } from "../hooks/useOutbox.ts";
import { useReadMark } from "../hooks/useReadMark.ts";
import { dayOf } from "../rows/clock.ts";
import { isEmptied } from "../rows/emptied.ts";
import { type Row, rowsOf } from "../rows/rows.ts";
import { Composer } from "./Composer.tsx";
import { DayRow, MessageList, UnreadRow } from "./MessageList.tsx";
import { type MessageActions, MessageRow } from "./MessageRow.tsx";
import { NewMessageAnnouncer } from "./NewMessageAnnouncer.tsx";
import { PendingRow } from "./PendingRow.tsx";
import "../chat.css";

/** Give it the channel id as `key`, so that nothing of another channel stays behind. */
export function ChatView(props: { link: ServerLink; channel: Channel }) {
  const { link, channel } = props;
  const me = useServerState(link, (s) => s.me);
  const members = useServerState(link, (s) => s.members);
  const history = useHistory(link, channel.channelId);
  const { outbox, pending } = useOutbox(link, channel.channelId);
  const [atEnd, setAtEnd] = useState(true);
  const [editing, setEditing] = useState<bigint | undefined>();
  const [removing, setRemoving] = useState<Message | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const newest = history.messages.at(-1)?.messageId;
  const mark = useReadMark(link.address, channel.channelId, newest, atEnd);
  const myMemberId = me?.memberId ?? "";

  const { messages, loaded } = history;
  const rows = useMemo(
    () => rowsOf({ messages, pending, readUpTo: mark, myMemberId, nowMs: Date.now(), date: dayOf }),
    [messages, pending, mark, myMemberId],
  );
  const [anchor, setAnchor] = useState<bigint | undefined>();
  if (loaded && anchor === undefined && messages[0]) {
    setAnchor(messages.find((message) => !isEmptied(message))?.messageId);
  }

  const actions = useActions(link, channel.channelId, { setEditing, setRemoving });
  const confirmRemove = async () => {
    if (!removing) return;
    const value = { channelId: channel.channelId, messageId: removing.messageId };
    const outcome = await link.request({ case: "deleteMessage", value });
    if (outcome.case === "refusal") setProblem(explainRefusal(outcome.value));
    if (outcome.case === "lost") setProblem("The connection was lost. Try again.");
  };

  const renderRow = (row: Row, isStop: boolean, wantsFocus: boolean) => {
    switch (row.kind) {
      case "day":
        return <DayRow atMs={row.atMs} nowMs={Date.now()} />;
      case "unread":
        return <UnreadRow />;
      case "pending":
        return <PendingRow {...row} me={me} outbox={outbox} />;
      case "message": {
        const isMine = row.message.memberId === myMemberId;
        return (
          <MessageRow
            link={link}
            message={row.message}
            author={members.get(row.message.memberId)}
            continues={row.continues}
            isStop={isStop}
            wantsFocus={wantsFocus}
            isEditing={editing === row.message.messageId}
            mayEdit={isMine && permits(me, "send")}
            mayRemove={isMine || permits(me, "manageMessages")}
            actions={actions}
          />
        );
      }
    }
  };

  const editLast = () =>
    setEditing(messages.findLast((m) => m.memberId === myMemberId && !isEmptied(m))?.messageId);

  return (
    <section className="chat" aria-label={`Channel ${channel.name}`}>
      {(problem ?? history.problem) && (
        <Notice tone="bad">
          {problem ?? history.problem}
          <Button onClick={() => (problem ? setProblem(undefined) : history.retry())}>
            {problem ? "Dismiss" : "Try again"}
          </Button>
        </Notice>
      )}
      {loaded ? (
        <MessageList
          channelName={channel.name}
          rows={rows}
          anchor={anchor}
          header={<ListHead channel={channel} hasOlder={history.hasOlder} />}
          renderRow={renderRow}
          onStart={history.loadOlder}
          onAtEnd={setAtEnd}
        />
      ) : (
        <Loading label="Loading messages…" />
      )}
      <NewMessageAnnouncer messages={messages} members={members} myMemberId={myMemberId} />
      <Composer
        draftKey={`${link.address} ${channel.channelId}`}
        channelName={channel.name}
        maySend={permits(me, "send")}
        mayAttach={permits(me, "attach")}
        link={link}
        channelId={channel.channelId}
        onSend={(text, files) => outbox.compose(channel.channelId, text, files)}
        onEditLast={editLast}
      />
      <Confirm
        title="Delete this message?"
        text="It disappears for everyone. This cannot be undone."
        action="Delete"
        open={removing !== undefined}
        onConfirm={() => void confirmRemove()}
        onClose={() => setRemoving(undefined)}
      />
    </section>
  );
}

function ListHead(props: { channel: Channel; hasOlder: boolean }) {
  if (props.hasOlder) {
    return (
      <p className="messages-head" role="status">
        Loading older messages…
      </p>
    );
  }
  return (
    <div className="messages-beginning">
      <h2>#{props.channel.name}</h2>
      <p>This is where the channel begins. Say something.</p>
    </div>
  );
}

function useActions(
  link: ServerLink,
  channelId: string,
  set: {
    setEditing: (messageId: bigint | undefined) => void;
    setRemoving: (message: Message | undefined) => void;
  },
): MessageActions {
  const { setEditing, setRemoving } = set;
  const save = useCallback(
    async ({ messageId }: Message, text: string) => {
      const value = { channelId, messageId, text };
      const outcome = await link.request({ case: "editMessage", value });
      if (outcome.case === "refusal") return explainRefusal(outcome.value);
      if (outcome.case === "lost") return "The connection was lost. Try again.";
      if (outcome.case === "sentMessage" && outcome.value.message) {
        link.addMessage(outcome.value.message);
      }
      return undefined;
    },
    [link, channelId],
  );
  return useMemo(
    () => ({
      edit: ({ messageId }) => setEditing(messageId),
      endEdit: () => setEditing(undefined),
      remove: setRemoving,
      copy: ({ text }) => void navigator.clipboard?.writeText(text),
      save,
    }),
    [save, setEditing, setRemoving],
  );
}

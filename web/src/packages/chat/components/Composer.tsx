// Where messages are written, and files attached: by button, by dropping, by pasting.

import { Paperclip, SendHorizontal } from "lucide-react";
import { type ChangeEvent, useRef, useState } from "react";
import type { ServerLink } from "#socket";
import { IconButton } from "#ui";
import { draftOf, judgeDraft, keepDraft } from "../composer.ts";
import { mayTakeFocus } from "../focus.ts";
import { useTray } from "../hooks/useTray.ts";
import type { PendingFile } from "../outbox/outbox.ts";
import { CharactersLeft } from "./CharactersLeft.tsx";
import { FileTray } from "./FileTray.tsx";
import { TextArea } from "./TextArea.tsx";

export function Composer(props: {
  link: ServerLink;
  channelId: string;
  draftKey: string;
  channelName: string;
  maySend: boolean;
  mayAttach: boolean;
  onSend: (text: string, files: readonly PendingFile[]) => void;
  onEditLast: () => void;
}) {
  const [text, setText] = useState(() => draftOf(props.draftKey));
  const draft = judgeDraft(text);
  const [takesFocus] = useState(() => mayTakeFocus(window));
  const { tray, files } = useTray(props.link, props.channelId);
  const isUploading = files.some(({ state }) => state === "sending");
  const hasFiles = files.some(({ state }) => state === "there");
  const isReady = !isUploading && (draft.kind === "fits" || (draft.kind === "empty" && hasFiles));

  const change = (next: string) => {
    setText(next);
    keepDraft(props.draftKey, next);
  };
  const submit = () => {
    if (!isReady) return;
    const pending = tray.take().flatMap(({ ticket, name }) => (ticket ? [{ ticket, name }] : []));
    props.onSend(draft.kind === "fits" ? draft.text : "", pending);
    change("");
  };
  /** Whether there were any files. */
  const attach = (transfer: DataTransfer | null): boolean => {
    const found = [...(transfer?.files ?? [])];
    if (!props.mayAttach || found.length === 0) return false;
    tray.add(found);
    return true;
  };

  if (!props.maySend) {
    return <p className="composer-closed">You can read here. Writing is for members.</p>;
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        if (attach(event.dataTransfer)) event.preventDefault();
      }}
      onPaste={(event) => {
        if (attach(event.clipboardData)) event.preventDefault();
      }}
    >
      <FileTray tray={tray} files={files} />
      {props.mayAttach && <AttachButton onFiles={tray.add} />}
      <TextArea
        label={`Message #${props.channelName}`}
        placeholder={`Message #${props.channelName}`}
        value={text}
        autoFocus={takesFocus}
        onChange={change}
        onSubmit={submit}
        onUp={props.onEditLast}
      />
      <CharactersLeft text={text} />
      <IconButton
        label="Send"
        tone="accent"
        type="submit"
        className="icon-button"
        disabled={!isReady}
      >
        <SendHorizontal size={18} />
      </IconButton>
    </form>
  );
}

function AttachButton(props: { onFiles: (files: readonly File[]) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const choose = ({ target }: ChangeEvent<HTMLInputElement>) => {
    props.onFiles([...(target.files ?? [])]);
    // The same file can be chosen once more.
    target.value = "";
  };
  return (
    <>
      <input ref={input} type="file" multiple hidden data-testid="attach" onChange={choose} />
      <IconButton label="Attach files" onClick={() => input.current?.click()}>
        <Paperclip size={18} />
      </IconButton>
    </>
  );
}

// Where messages are written.

import { SendHorizontal } from "lucide-react";
import { useState } from "react";
import { IconButton } from "#ui";
import { draftOf, judgeDraft, keepDraft } from "../composer.ts";
import { mayTakeFocus } from "../focus.ts";
import { CharactersLeft } from "./CharactersLeft.tsx";
import { TextArea } from "./TextArea.tsx";

export function Composer(props: {
  draftKey: string;
  channelName: string;
  maySend: boolean;
  onSend: (text: string) => void;
  onEditLast: () => void;
}) {
  const [text, setText] = useState(() => draftOf(props.draftKey));
  const draft = judgeDraft(text);
  const [takesFocus] = useState(() => mayTakeFocus(window));

  const change = (next: string) => {
    setText(next);
    keepDraft(props.draftKey, next);
  };
  const submit = () => {
    if (draft.kind !== "fits") return;
    props.onSend(draft.text);
    change("");
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
    >
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
        disabled={draft.kind !== "fits"}
      >
        <SendHorizontal size={18} />
      </IconButton>
    </form>
  );
}

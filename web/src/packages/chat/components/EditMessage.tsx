// Changes an own message in its place.

import { useState } from "react";
import type { Message } from "#proto/model";
import { Button } from "#ui";
import { longestText } from "../composer.ts";
import { CharactersLeft } from "./CharactersLeft.tsx";
import { TextArea } from "./TextArea.tsx";

export function EditMessage(props: {
  message: Message;
  onSave: (message: Message, text: string) => Promise<string | undefined>;
  onEnd: () => void;
}) {
  const [text, setText] = useState(props.message.text);
  const [problem, setProblem] = useState<string | undefined>();
  const trimmed = text.trim();
  const isSavable = trimmed !== "" && [...trimmed].length <= longestText;

  const save = async () => {
    if (!isSavable) return;
    if (trimmed === props.message.text) return props.onEnd();
    const failure = await props.onSave(props.message, trimmed);
    if (failure === undefined) props.onEnd();
    else setProblem(failure);
  };

  return (
    <div className="edit">
      <TextArea
        label="Edit message"
        value={text}
        autoFocus
        onChange={setText}
        onSubmit={() => void save()}
        onEscape={props.onEnd}
      />
      {problem && (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
      <div className="edit-actions">
        <CharactersLeft text={text} />
        <Button tone="plain" onClick={props.onEnd}>
          Cancel
        </Button>
        <Button tone="accent" disabled={!isSavable} onClick={() => void save()}>
          Save
        </Button>
      </div>
    </div>
  );
}

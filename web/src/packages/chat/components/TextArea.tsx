// A text that grows with its lines. Enter submits, Shift+Enter begins a new line.

import { type KeyboardEvent, useEffect, useRef } from "react";

export function TextArea(props: {
  label: string;
  value: string;
  placeholder?: string;
  autoFocus?: boolean;
  onChange: (value: string) => void;
  onSubmit: () => void;
  onEscape?: () => void;
  /** Arrow up in an empty text. */
  onUp?: () => void;
}) {
  const area = useRef<HTMLTextAreaElement>(null);
  const { value, autoFocus } = props;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text.
  useEffect(() => {
    const element = area.current;
    if (!element) return;
    // Not 0: an empty text area of no height keeps its old scrollHeight in Chromium.
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [value]);

  useEffect(() => {
    const element = area.current;
    if (!autoFocus || !element) return;
    element.focus();
    element.setSelectionRange(element.value.length, element.value.length);
  }, [autoFocus]);

  const press = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // Enter that chooses a word of an input method is not ours.
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      props.onSubmit();
    } else if (event.key === "Escape" && props.onEscape) {
      event.stopPropagation();
      props.onEscape();
    } else if (event.key === "ArrowUp" && value === "" && props.onUp) {
      event.preventDefault();
      props.onUp();
    }
  };

  return (
    <textarea
      ref={area}
      className="text-area"
      aria-label={props.label}
      placeholder={props.placeholder}
      rows={1}
      value={value}
      onChange={(event) => props.onChange(event.target.value)}
      onKeyDown={press}
    />
  );
}

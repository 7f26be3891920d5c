// How much may still be written, near the end and beyond it.

import { charactersLeft, leftText } from "../composer.ts";

export function CharactersLeft(props: { text: string }) {
  const left = charactersLeft(props.text);
  if (left === undefined) return null;
  return (
    <span className="composer-left" data-over={left < 0} role="status">
      {leftText(left)}
      {left >= 0 && <span className="visually-hidden"> characters left</span>}
    </span>
  );
}

// The channel's messages, from the newest upwards, with only the visible ones in the page.

import { ArrowDown } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { type Components, Virtuoso, type VirtuosoHandle } from "react-virtuoso";
import { Button } from "#ui";
import { dayText } from "../rows/clock.ts";
import { messageIndex, type Row } from "../rows/rows.ts";

/** Far above any number of rows, so that the list can grow upwards without an index below zero. */
const firstIndex = 1_000_000;

/** Above the first and below the last row. */
const edges: Components<Row, { header: ReactNode }> = {
  Header: ({ context }) => context?.header,
  Footer: () => <div className="messages-foot" />,
};

interface Focus {
  key: string;
  /** The keyboard moved it, so the row has to take the focus. */
  moved: boolean;
}

export function MessageList(props: {
  channelName: string;
  rows: Row[];
  /** The first message that was known when the list was opened: what the upward growth is counted from. */
  anchor: bigint | undefined;
  header: ReactNode;
  renderRow: (row: Row, isStop: boolean, wantsFocus: boolean) => ReactNode;
  onStart: () => void;
  onAtEnd: (atEnd: boolean) => void;
}) {
  const { rows, anchor } = props;
  const list = useRef<VirtuosoHandle>(null);
  const scroller = useRef<HTMLElement>(null);
  // Heights are guesses until rows were measured, so the end moves away by itself. The list follows
  // it until the person scrolls.
  const pinned = useRef(true);
  const frame = useRef(0);
  const followEnd = (frames = 20) => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      const element = scroller.current;
      if (!pinned.current || !element) return;
      element.scrollTop = element.scrollHeight;
      if (frames > 0) followEnd(frames - 1);
    });
  };
  const unpin = () => {
    pinned.current = false;
  };
  const [atEnd, setAtEnd] = useState(true);
  const [focus, setFocus] = useState<Focus | undefined>();
  const { seenCount, markSeen } = useSeenCount(rows.length, atEnd);

  // Older messages are asked for only after the list stands at its end: before that it passes its
  // own beginning, and growing upwards then would throw it off.
  const [settled, setSettled] = useState(false);
  const [nearStart, setNearStart] = useState(false);
  const { onStart } = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a page may leave the start still in view.
  useEffect(() => {
    if (settled && nearStart) onStart();
  }, [settled, nearStart, onStart, rows.length]);

  const stopKey = focusStop(rows, focus);
  const offset = anchor === undefined ? 0 : Math.max(0, messageIndex(rows, anchor));

  const move = (event: KeyboardEvent) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const target = event.target as HTMLElement;
    if (step === undefined || !target.matches("article")) return;
    event.preventDefault();
    const index = nextMessage(rows, stopKey, step);
    const row = rows[index];
    if (!row) return;
    list.current?.scrollIntoView({ index });
    setFocus({ key: row.key, moved: true });
  };

  const jump = () => {
    markSeen();
    list.current?.scrollToIndex({ index: "LAST", align: "end", behavior: "auto" });
  };
  const missed = rows.length - seenCount;

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: arrow keys bubble up from the messages.
    <div
      className="messages"
      onKeyDown={move}
      onKeyDownCapture={unpin}
      onWheelCapture={unpin}
      onPointerDownCapture={unpin}
      onTouchMoveCapture={unpin}
      onFocus={(event) => {
        const key = (event.target as HTMLElement).closest<HTMLElement>("[data-row-key]")?.dataset;
        if (key?.rowKey && key.rowKey !== stopKey) setFocus({ key: key.rowKey, moved: false });
      }}
    >
      <Virtuoso
        ref={list}
        className="messages-scroll"
        role="region"
        aria-label={`Messages in ${props.channelName}`}
        tabIndex={-1}
        data={rows}
        computeItemKey={(_, row) => row.key}
        firstItemIndex={firstIndex - offset}
        initialTopMostItemIndex={{ index: "LAST", align: "end" }}
        followOutput={(isAtBottom) => (isAtBottom ? "auto" : false)}
        atBottomThreshold={60}
        atBottomStateChange={(bottom) => {
          setAtEnd(bottom);
          if (!bottom) return;
          pinned.current = true;
          setSettled(true);
          props.onAtEnd(bottom);
        }}
        scrollerRef={(element) => {
          scroller.current = element instanceof HTMLElement ? element : null;
        }}
        totalListHeightChanged={() => followEnd()}
        rangeChanged={({ startIndex }) => setNearStart(startIndex <= firstIndex - offset + 3)}
        increaseViewportBy={{ top: 800, bottom: 200 }}
        context={{ header: props.header }}
        components={edges}
        itemContent={(_, row) => (
          <div data-row-key={row.kind === "message" ? row.key : undefined}>
            {props.renderRow(
              row,
              row.key === stopKey,
              focus?.moved === true && row.key === focus.key,
            )}
          </div>
        )}
      />
      {!atEnd && (
        <div className="messages-jump">
          <Button onClick={jump}>
            <ArrowDown size={16} aria-hidden="true" />
            {missed > 0 ? `${missed} new` : "Jump to latest"}
          </Button>
        </div>
      )}
    </div>
  );
}

/** How many rows there were when the end was last in view. */
function useSeenCount(count: number, atEnd: boolean) {
  const [seenCount, setSeenCount] = useState(count);
  useEffect(() => {
    if (atEnd) setSeenCount(count);
  }, [atEnd, count]);
  return { seenCount, markSeen: () => setSeenCount(count) };
}

/** The row that Tab reaches: where the focus was, else the newest message. */
function focusStop(rows: readonly Row[], focus: Focus | undefined): string | undefined {
  if (focus && rows.some((row) => row.key === focus.key)) return focus.key;
  return rows.findLast((row) => row.kind === "message")?.key;
}

function nextMessage(rows: readonly Row[], key: string | undefined, step: number): number {
  let index = rows.findIndex((row) => row.key === key) + step;
  while (rows[index] && rows[index]?.kind !== "message") index += step;
  return index;
}

/** A day's line. */
export function DayRow(props: { atMs: number; nowMs: number }) {
  return (
    <div className="day">
      <span>{dayText(props.atMs, props.nowMs)}</span>
    </div>
  );
}

/** Where the unread part begins. */
export function UnreadRow() {
  return (
    <div className="day" data-unread="true">
      <span>New messages</span>
    </div>
  );
}

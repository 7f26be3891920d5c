// What stands where there is nothing yet: empty, loading, broken.

import type { ReactNode } from "react";

/** A centered explanation with something to do. */
export function Blank(props: {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  level?: 1 | 2;
}) {
  const Heading = props.level === 1 ? "h1" : "h2";
  return (
    <div className="blank">
      <div className="blank-mark" aria-hidden="true">
        {props.icon}
      </div>
      <Heading>{props.title}</Heading>
      {props.children}
      {props.actions && <div className="blank-actions">{props.actions}</div>}
    </div>
  );
}

/** Something is on its way. */
export function Loading(props: { label: string }) {
  return (
    <div className="blank" role="status">
      <div className="spinner" aria-hidden="true" />
      <p>{props.label}</p>
    </div>
  );
}

/** A line above the content that tells of a state that passes. */
export function Notice(props: { tone?: "warn" | "bad" | "quiet"; children: ReactNode }) {
  return (
    <div className="notice" role="status" data-tone={props.tone ?? "warn"}>
      {props.children}
    </div>
  );
}

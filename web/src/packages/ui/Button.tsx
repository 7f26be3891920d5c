// Buttons.

import { Tooltip } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";

/** A button with words. `tone`: accent for the one thing to do, danger for what cannot be undone. */
export function Button({
  tone = "normal",
  ...rest
}: ComponentProps<"button"> & { tone?: "normal" | "accent" | "danger" | "plain" }) {
  return <button type="button" {...rest} className="button" data-tone={tone} />;
}

/** A button with an icon. `label` is its name for everybody: tooltip and screen reader. */
export function IconButton({
  label,
  shortcut,
  tone,
  size,
  children,
  ...rest
}: ComponentProps<"button"> & {
  label: string;
  /** Shown behind the name, for example `Ctrl+M`. */
  shortcut?: string;
  tone?: "accent" | "danger";
  size?: "small";
  children: ReactNode;
}) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button
          type="button"
          aria-label={label}
          {...rest}
          className="icon-button"
          data-tone={tone}
          data-size={size}
        >
          {children}
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tooltip" sideOffset={6}>
          {label} {shortcut && <kbd className="kbd">{shortcut}</kbd>}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

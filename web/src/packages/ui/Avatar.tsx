// A person's disc: initials on a color that is always the same for the same id.

import type { CSSProperties } from "react";
import { avatarColor, initials } from "./avatarLook.ts";

export function Avatar(props: {
  id: string;
  name: string;
  size?: number;
  speaking?: boolean;
  /** Without it, or unknown: no mark. */
  presence?: "online" | "offline" | "unknown";
}) {
  const style = {
    "--avatar-color": avatarColor(props.id),
    ...(props.size ? { "--avatar-size": `${props.size}px` } : {}),
  } as CSSProperties;
  return (
    <span
      className="avatar"
      style={style}
      data-speaking={props.speaking ?? false}
      data-presence={props.presence === "unknown" ? undefined : props.presence}
      aria-hidden="true"
    >
      {initials(props.name)}
    </span>
  );
}

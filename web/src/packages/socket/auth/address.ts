// Server addresses as people type them.

import type { ServerAddress } from "../types/connection.ts";

/**
 * The origin that a person means by `text`, or undefined. Without a scheme it is https, but http
 * on this very machine.
 */
export function parseAddress(text: string): ServerAddress | undefined {
  const trimmed = text.trim();
  if (trimmed === "" || /\s/.test(trimmed)) return undefined;
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed);
  const isLocal = /^(localhost|127\.0\.0\.1|\[::1\])(:|\/|$)/i.test(trimmed);
  const text2url = hasScheme ? trimmed : `${isLocal ? "http" : "https"}://${trimmed}`;
  try {
    const url = new URL(text2url);
    const isWeb = url.protocol === "https:" || url.protocol === "http:";
    return isWeb && url.username === "" && url.hostname !== "" ? url.origin : undefined;
  } catch {
    return undefined;
  }
}

// The server's REST doors for files, and the storage behind them.

import { log } from "#log";
import type { ServerLink } from "#socket";
import type { Doors, Reply, SignedPart, StoredFile } from "./transfer.ts";

/** Which file of which message. */
export interface FilePlace {
  readonly channelId: string;
  readonly messageId: bigint;
  readonly fileId: string;
}

async function ask<T>(link: ServerLink, path: string, body?: unknown): Promise<Reply<T>> {
  const token = await link.token();
  if (token === undefined) return { kind: "lost" };
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const init =
    body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  try {
    const response = await fetch(new URL(`/api/v1${path}`, link.address), init);
    if (response.status === 429 || response.status >= 500) return { kind: "lost" };
    const said = response.status === 204 ? undefined : await response.json();
    if (response.ok) return { kind: "answer", value: said as T };
    const { message } = said as { message?: unknown };
    return { kind: "refused", message: typeof message === "string" ? message : "It was refused." };
  } catch (error) {
    log.warn("file door did not answer", { server: link.address, path, error });
    return { kind: "lost" };
  }
}

/** Where a file can be read for some minutes; undefined: nowhere, or not yet. */
export async function linkTo(
  link: ServerLink,
  { channelId, messageId, fileId }: FilePlace,
  thumbnail: boolean,
): Promise<string | undefined> {
  const path = `/channels/${channelId}/messages/${messageId}/files/${fileId}/link`;
  const reply = await ask<{ url: string }>(link, thumbnail ? `${path}?thumbnail=true` : path);
  if (reply.kind !== "answer") return undefined;
  return new URL(reply.value.url, link.address).href;
}

/** The doors of an upload to `channelId`. `signal` ends what is under way. */
export function doorsOf(link: ServerLink, channelId: string, signal: AbortSignal): Doors {
  return {
    begin: (file) =>
      ask(link, `/channels/${channelId}/uploads`, {
        name: file.name,
        content_type: file.type,
        size_bytes: file.size,
      }),
    sign: async (upload, part, sha256) => {
      const body = { upload, parts: [{ part, sha256 }] };
      const reply = await ask<{ parts: SignedPart[] }>(link, "/uploads/parts", body);
      if (reply.kind !== "answer") return reply;
      const [signed] = reply.value.parts;
      return signed ? { kind: "answer", value: signed } : { kind: "lost" };
    },
    put: (part, body, tellSent) =>
      put(new URL(part.url, link.address), part, body, tellSent, signal),
    arrived: async (upload) => {
      const reply = await ask<{ parts: number[] }>(link, "/uploads/arrived", { upload });
      return reply.kind === "answer" ? { kind: "answer", value: reply.value.parts } : reply;
    },
    complete: (upload, sha256) =>
      ask<{ ticket: string; attachment: StoredFile }>(link, "/uploads/complete", {
        upload,
        sha256,
      }),
    abort: async (upload) => {
      await ask(link, "/uploads/abort", { upload });
    },
    digest: async (part) => {
      const bytes = await crypto.subtle.digest("SHA-256", await part.arrayBuffer());
      return btoa(String.fromCharCode(...new Uint8Array(bytes)));
    },
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

/** By XMLHttpRequest, because fetch does not tell how much was sent. */
function put(
  url: URL,
  part: SignedPart,
  body: Blob,
  tellSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<"taken" | "refused" | "lost"> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(part.method, url);
    for (const [name, value] of part.headers) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => tellSent(Math.min(loaded, body.size));
    request.onload = () => {
      const ok = request.status >= 200 && request.status < 300;
      // A signature that ran out on the way is signed anew.
      const again = request.status === 403 || request.status >= 500;
      resolve(ok ? "taken" : again ? "lost" : "refused");
    };
    request.onerror = request.onabort = request.ontimeout = () => resolve("lost");
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

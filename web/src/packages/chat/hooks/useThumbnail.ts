// Gives a component the small picture of a file, as an address of this page.

import { useEffect, useState } from "react";
import type { ServerLink } from "#socket";
import { type FilePlace, linkTo } from "../files/fileApi.ts";

/** It is made some time after the upload. */
const pausesMs = [0, 1_000, 2_000, 4_000, 8_000];

/** Undefined as long as there is none. `wanted` false: nothing is asked. */
export function useThumbnail(
  link: ServerLink,
  { channelId, messageId, fileId }: FilePlace,
  wanted: boolean,
): string | undefined {
  const [url, setUrl] = useState<string | undefined>();
  useEffect(() => {
    if (!wanted) return;
    const controller = new AbortController();
    let made: string | undefined;
    const load = async () => {
      for (const ms of pausesMs) {
        await new Promise((resolve) => setTimeout(resolve, ms));
        if (controller.signal.aborted) return;
        const href = await linkTo(link, { channelId, messageId, fileId }, true);
        if (href === undefined) continue;
        // Fetched, because the page's policy shows pictures of its own origin only.
        const response = await fetch(href, { signal: controller.signal });
        if (!response.ok) continue;
        const picture = await response.blob();
        if (controller.signal.aborted) return;
        made = URL.createObjectURL(picture);
        setUrl(made);
        return;
      }
    };
    load().catch(() => undefined);
    return () => {
      controller.abort();
      if (made !== undefined) URL.revokeObjectURL(made);
      setUrl(undefined);
    };
  }, [link, channelId, messageId, fileId, wanted]);
  return url;
}

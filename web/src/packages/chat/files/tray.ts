// The files that stand in a composer: on their way, there, or failed. Outlive the switch to another
// channel, as drafts do.

import type { ServerLink } from "#socket";
import { doorsOf } from "./fileApi.ts";
import { type StoredFile, transfer } from "./transfer.ts";

/** As many as the server takes with one message. */
const mostFiles = 10;

/** A file in a composer. */
export interface TrayFile {
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly sentBytes: number;
  /** An address of this page, if it is a picture. */
  readonly preview: string | undefined;
  readonly state: "sending" | "there" | "failed";
  /** Why it failed, for a person. */
  readonly problem: string | undefined;
  readonly ticket: string | undefined;
  readonly stored: StoredFile | undefined;
}

/** What browsers show as a picture and what cannot carry script. */
const pictures = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** The files of one channel's composer. */
export class Tray {
  readonly #link: ServerLink;
  readonly #channelId: string;
  readonly #listeners = new Set<() => void>();
  readonly #controllers = new Map<string, AbortController>();
  #files: readonly TrayFile[] = [];

  constructor(link: ServerLink, channelId: string) {
    this.#link = link;
    this.#channelId = channelId;
  }

  /** The same array until something changes. */
  files = (): readonly TrayFile[] => this.#files;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins to upload. What is over the limit of a message is left out. */
  add = (files: readonly File[]): void => {
    for (const file of files.slice(0, mostFiles - this.#files.length)) void this.#upload(file);
  };

  /** Takes a file out, and ends its upload. */
  remove = (id: string): void => {
    this.#controllers.get(id)?.abort();
    this.#controllers.delete(id);
    this.#leave((file) => file.id === id);
  };

  /** Takes out what is there, to be sent. */
  take = (): readonly TrayFile[] => {
    return this.#leave(({ state }) => state === "there");
  };

  async #upload(file: File): Promise<void> {
    const id = crypto.randomUUID();
    const controller = new AbortController();
    this.#controllers.set(id, controller);
    const blank = { sentBytes: 0, problem: undefined, ticket: undefined, stored: undefined };
    const { name, size: sizeBytes } = file;
    const preview = pictures.has(file.type) ? URL.createObjectURL(file) : undefined;
    this.#set([...this.#files, { id, name, sizeBytes, preview, state: "sending", ...blank }]);
    const doors = doorsOf(this.#link, this.#channelId, controller.signal);
    const tellSent = (sentBytes: number) => this.#change(id, { sentBytes });
    const end = await transfer(doors, file, tellSent, controller.signal);
    this.#controllers.delete(id);
    if (end.kind === "done") {
      const { ticket, file: stored } = end;
      this.#change(id, { state: "there", name: stored.name, ticket, stored });
    } else if (end.kind === "failed") {
      this.#change(id, { state: "failed", problem: end.message });
    }
  }

  #leave(leaves: (file: TrayFile) => boolean): readonly TrayFile[] {
    const left = this.#files.filter(leaves);
    this.#set(this.#files.filter((file) => !leaves(file)));
    for (const { preview } of left) if (preview !== undefined) URL.revokeObjectURL(preview);
    return left;
  }

  #change(id: string, change: Partial<TrayFile>): void {
    this.#set(this.#files.map((file) => (file.id === id ? { ...file, ...change } : file)));
  }

  #set(files: readonly TrayFile[]): void {
    this.#files = files;
    for (const listener of [...this.#listeners]) listener();
  }
}

const trays = new WeakMap<ServerLink, Map<string, Tray>>();

/** The tray of a channel, made at its first use. */
export function trayOf(link: ServerLink, channelId: string): Tray {
  const ofServer = trays.get(link) ?? new Map<string, Tray>();
  trays.set(link, ofServer);
  const tray = ofServer.get(channelId) ?? new Tray(link, channelId);
  ofServer.set(channelId, tray);
  return tray;
}

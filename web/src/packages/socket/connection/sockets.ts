// Every server of this client at once: one link for each server that the settings list.

import { type SavedServer, settings } from "#settings";
import type { ServerAddress } from "../types/connection.ts";
import { ServerLink } from "./serverLink.ts";

/** The links, in the order of the rail. */
export class Sockets {
  #links: readonly ServerLink[] = [];
  readonly #listeners = new Set<() => void>();
  #started = false;

  constructor() {
    this.#follow();
    settings.subscribe(() => this.#follow());
  }

  /** Connects, now and for each server that is added later. */
  start(): void {
    this.#started = true;
    const see = (link: ServerLink) => link.see(document.visibilityState === "visible");
    for (const link of this.#links) {
      see(link);
      link.start();
    }
    document.addEventListener("visibilitychange", () => {
      for (const link of this.#links) see(link);
    });
    addEventListener("storage", (event) => {
      for (const link of this.#links) void link.follow(event);
    });
    addEventListener("online", () => {
      for (const link of this.#links) link.hurry();
    });
  }

  links = (): readonly ServerLink[] => this.#links;

  link = (address: ServerAddress): ServerLink | undefined =>
    this.#links.find((link) => link.address === address);

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Puts a server at the front of the rail. */
  addFirst = (server: SavedServer): void =>
    settings.update(({ servers }) => ({ servers: [server, ...servers] }));

  /** Puts a server at the end of the rail, once. */
  add = (server: SavedServer): void => {
    settings.update(({ servers }) => ({
      servers: servers.some(({ address }) => address === server.address)
        ? servers
        : [...servers, server],
    }));
  };

  /** Takes a server out of this client. Its sign-in stays in the browser until signed out. */
  remove = (address: ServerAddress): void => {
    settings.update(({ servers }) => ({
      servers: servers.filter((server) => server.address !== address),
    }));
  };

  #follow(): void {
    const wanted = settings.read().servers.map(({ address }) => address);
    const known = this.#links.map(({ address }) => address);
    if (wanted.length === known.length && wanted.every((address, i) => address === known[i]))
      return;
    for (const link of this.#links) if (!wanted.includes(link.address)) link.close();
    this.#links = wanted.map((address) => this.link(address) ?? this.#make(address));
    for (const listener of [...this.#listeners]) listener();
  }

  #make(address: ServerAddress): ServerLink {
    const link = new ServerLink(address);
    link.subscribeState(() => this.#rememberName(link));
    if (this.#started) link.start();
    return link;
  }

  #rememberName(link: ServerLink): void {
    const { server, discovery } = link.state();
    const name = server?.name ?? discovery?.name;
    const saved = settings.read().servers.find(({ address }) => address === link.address);
    if (!name || !saved || saved.name === name) return;
    settings.update(({ servers }) => ({
      servers: servers.map((s) => (s.address === link.address ? { ...s, name } : s)),
    }));
  }
}

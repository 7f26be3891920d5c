// The shell of one server's connection: performs the machine's effects on a WebSocket, timers, the
// sign-in and the state, and holds no rule of its own.

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { log } from "#log";
import type { Message } from "#proto/model";
import { ClientFrameSchema, ServerFrameSchema } from "#proto/socket";
import { discover } from "../auth/discovery.ts";
import { isSignOutOf, SignIn, type SignInWish } from "../auth/signIn.ts";
import { reduce, type ServerState, type StateInput, unknownServer } from "../state/serverState.ts";
import type {
  ConnectionNotice,
  ConnectionPhase,
  Outcome,
  Request,
  ServerAddress,
  ServerConnection,
} from "../types/connection.ts";
import { ConnectionMachine, type Credentials, type Effect, type Input } from "./machine.ts";

/** A server in this client: its connection, its sign-in and what is known of it. */
export class ServerLink implements ServerConnection {
  readonly address: ServerAddress;
  readonly #machine = new ConnectionMachine(Math.random);
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #settlers = new Map<number, (outcome: Outcome) => void>();
  readonly #listeners = new Set<(notice: ConnectionNotice) => void>();
  readonly #stateListeners = new Set<() => void>();
  #state: ServerState = unknownServer;
  #socket: WebSocket | undefined;
  #signIn: SignIn | undefined;
  #lastTicket = 0;
  #closed = false;

  constructor(address: ServerAddress) {
    this.address = address;
  }

  /** Begins to connect. */
  start = (): void => this.#feed({ kind: "start" });

  /** Tries again at once if it waits for the next attempt. */
  hurry = (): void => this.#feed({ kind: "hurry" });

  /** Whether somebody looks at the page. */
  see = (visible: boolean): void => this.#feed({ kind: "seen", visible });

  /** Ends the connection for good: the server was taken out of the client. */
  close = (): void => {
    this.#closed = true;
    this.#perform({ kind: "clearTimers" });
    this.#perform({ kind: "close" });
  };

  /** Leaves the page to sign in. Undefined: gone. Else why the issuer could not be asked. */
  signIn = async (wish?: SignInWish): Promise<"unreachable" | undefined> => {
    try {
      const signIn = await this.#findSignIn();
      if (!signIn) return "unreachable";
      await signIn.begin(wish);
      return undefined;
    } catch (error) {
      log.warn("sign-in could not begin", { server: this.address, error });
      return "unreachable";
    }
  };

  /** Takes the issuer's answer out of the page's address. False: it was a refusal. */
  finishSignIn = async (): Promise<boolean> => {
    try {
      const signIn = await this.#findSignIn();
      await signIn?.finish();
      return signIn !== undefined;
    } catch (error) {
      log.warn("sign-in did not succeed", { server: this.address, error });
      return false;
    }
  };

  signOut = async (): Promise<void> => {
    this.#feed({ kind: "signOut" });
    try {
      await (await this.#findSignIn())?.end();
    } catch (error) {
      log.warn("sign-out did not succeed", { server: this.address, error });
    }
  };

  /** Another tab changed what the browser keeps: who signed out there is signed out here. */
  follow = async (event: StorageEvent): Promise<void> => {
    if (!isSignOutOf(this.address, event) || this.phase().kind === "signedOut") return;
    const signIn = await this.#findSignIn();
    const result = await signIn?.token(false);
    if (result?.kind === "missing") this.#feed({ kind: "credentialsMissing" });
  };

  /** A token for the server's other doors; undefined as long as there is none. */
  token = async (): Promise<string | undefined> => {
    try {
      const result = await (await this.#findSignIn())?.token(false);
      return result?.kind === "token" ? result.token : undefined;
    } catch (error) {
      log.warn("no token for a request", { server: this.address, error });
      return undefined;
    }
  };

  phase = (): ConnectionPhase => this.#machine.phase();

  state = (): ServerState => this.#state;

  request = (request: Request): Promise<Outcome> =>
    new Promise((resolve) => {
      this.#lastTicket += 1;
      this.#settlers.set(this.#lastTicket, resolve);
      this.#feed({ kind: "request", request, ticket: this.#lastTicket });
    });

  /** Adds a fetched page of messages to the state. */
  addPage = (channelId: string, messages: readonly Message[], hasOlder: boolean): void =>
    this.#reduce({ kind: "page", channelId, messages, hasOlder });

  /** Adds a message that a reply carried to the state. */
  addMessage = (message: Message): void => this.#reduce({ kind: "message", message });

  subscribe = (listener: (notice: ConnectionNotice) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Calls `listener` after each change of the state. */
  subscribeState = (listener: () => void): (() => void) => {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  };

  #feed(input: Input): void {
    if (this.#closed) return;
    for (const effect of this.#machine.handle(input, Date.now())) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "fetchCredentials":
        void this.#fetchCredentials(effect.fresh).then((input) => this.#feed(input));
        break;
      case "open":
        this.#open(effect.credentials);
        break;
      case "send":
        this.#socket?.send(toBinary(ClientFrameSchema, effect.frame));
        break;
      case "close":
        this.#drop();
        break;
      case "setTimer":
        this.#setTimer(effect.timer, effect.atMs);
        break;
      case "clearTimers":
        for (const timer of this.#timers.values()) clearTimeout(timer);
        this.#timers.clear();
        break;
      case "settle":
        this.#settlers.get(effect.ticket)?.(effect.outcome);
        this.#settlers.delete(effect.ticket);
        break;
      case "notify":
        this.#reduce(effect.notice);
        for (const listener of [...this.#listeners]) listener(effect.notice);
        break;
    }
  }

  #setTimer(timer: "retry" | "ping" | "renew", atMs: number): void {
    clearTimeout(this.#timers.get(timer));
    const fire = () => this.#feed({ kind: "timer", timer });
    this.#timers.set(timer, setTimeout(fire, Math.max(0, atMs - Date.now())));
  }

  #open({ socketUrl, token }: Credentials): void {
    let socket: WebSocket;
    try {
      socket = new WebSocket(socketUrl, ["gryt.v1", `bearer.${token}`]);
    } catch (error) {
      log.error("socket address is not usable", { server: this.address, error });
      queueMicrotask(() => this.#feed({ kind: "closed", code: 1006 }));
      return;
    }
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#feed({ kind: "opened" });
    socket.onclose = ({ code }) => this.#feed({ kind: "closed", code });
    socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket = socket;
  }

  #receive(data: unknown): void {
    try {
      if (!(data instanceof ArrayBuffer)) throw new TypeError("a text frame");
      const frame = fromBinary(ServerFrameSchema, new Uint8Array(data));
      this.#feed({ kind: "frame", frame });
    } catch (error) {
      log.error("frame of the server is not readable", { server: this.address, error });
    }
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onclose = socket.onmessage = null;
    socket.close();
  }

  async #fetchCredentials(fresh: boolean): Promise<Input> {
    try {
      // Asked anew for each attempt: a server's address of the socket and issuer may change.
      if (this.#state.phase.kind !== "connected") this.#signIn = undefined;
      const signIn = await this.#findSignIn();
      const socketUrl = this.#state.discovery?.socketUrl;
      if (!signIn || !socketUrl) return { kind: "credentialsUnreachable", issuerAway: false };
      const result = await signIn.token(fresh);
      if (result.kind === "missing") return { kind: "credentialsMissing" };
      if (result.kind === "ended") return { kind: "credentialsEnded" };
      if (result.kind === "unreachable")
        return { kind: "credentialsUnreachable", issuerAway: true };
      const { token, expiresAtMs } = result;
      return { kind: "credentials", credentials: { token, expiresAtMs, socketUrl } };
    } catch (error) {
      log.error("credentials could not be read", { server: this.address, error });
      return { kind: "credentialsUnreachable", issuerAway: false };
    }
  }

  async #findSignIn(): Promise<SignIn | undefined> {
    if (this.#signIn) return this.#signIn;
    const result = await discover(this.address, location);
    this.#reduce({ kind: "discovery", result });
    if (result.kind === "found") this.#signIn = new SignIn(this.address, result.discovery);
    return this.#signIn;
  }

  #reduce(input: StateInput): void {
    const next = reduce(this.#state, input);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of [...this.#stateListeners]) listener();
  }
}

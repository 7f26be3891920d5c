// The page's one microphone stream: opened by its first user, shared, closed 2 s after its last.

import { type CaptureOptions, captureConstraints, sameCapture } from "../options.ts";
import { type MicrophoneProblem, problemOf } from "./microphoneProblem.ts";

/** What the microphone is doing. `fallback`: the chosen device is gone, the system's choice is used. */
export type CaptureState =
  | { readonly status: "off" }
  | { readonly status: "starting" }
  | { readonly status: "live"; readonly stream: MediaStream; readonly fallback: boolean }
  | { readonly status: "failed"; readonly problem: MicrophoneProblem };

/** The browser functions that `Capture` needs. */
export type CapturePorts = {
  /** Undefined where pages may not capture at all. */
  readonly open: ((constraints: MediaTrackConstraints) => Promise<MediaStream>) | undefined;
  readonly isSecure: boolean;
  readonly setTimer: (run: () => void, ms: number) => number;
  readonly clearTimer: (timer: number) => void;
};

/** A tab that leaves one channel and enters the next keeps its microphone without a new prompt. */
export const LINGER_MS = 2_000;

/** Owns the stream. Every change is told to all listeners. */
export class Capture {
  #state: CaptureState = { status: "off" };
  #options: CaptureOptions;
  #users = 0;
  #linger: number | undefined;
  /** Counts openings, so that a slow one cannot overwrite a newer. */
  #opening = 0;
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly ports: CapturePorts,
    options: CaptureOptions,
  ) {
    this.#options = options;
  }

  state = (): CaptureState => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Opens the microphone unless it is open. Returns the end of this use. */
  acquire(): () => void {
    this.#users += 1;
    if (this.#linger !== undefined) this.ports.clearTimer(this.#linger);
    this.#linger = undefined;
    if (this.#state.status === "off" || this.#state.status === "failed") this.retry();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#users -= 1;
      if (this.#users === 0) this.#linger = this.ports.setTimer(() => this.#close(), LINGER_MS);
    };
  }

  /** Opens the microphone again, for example after the person allowed it. Without users: nothing. */
  retry(): void {
    if (this.#users > 0) this.#open().catch(() => undefined);
  }

  /** Devices came or went: `inputs` are the ids there now. Uses the chosen one again, or any at last. */
  devicesChanged(inputs: readonly string[]): void {
    const state = this.#state;
    const isBack = inputs.includes(this.#options.inputDeviceId);
    const wasMissing =
      state.status === "failed" && (state.problem === "missing" || state.problem === "unplugged");
    if (state.status === "live" ? state.fallback && isBack : wasMissing && inputs.length > 0) {
      this.retry();
    }
  }

  /** Takes other options. A live microphone goes on until another one runs. */
  configure(options: CaptureOptions): void {
    if (sameCapture(this.#options, options)) return;
    const sameDevice = this.#options.inputDeviceId === options.inputDeviceId;
    this.#options = options;
    // Chromium gives a second stream of one device the processing of the first.
    if (sameDevice && this.#state.status === "live") stop(this.#state.stream);
    if (this.#state.status !== "off") this.retry();
  }

  async #open(): Promise<void> {
    const { open, isSecure } = this.ports;
    if (open === undefined) {
      this.#become({ status: "failed", problem: isSecure ? "unsupported" : "insecure" });
      return;
    }
    this.#opening += 1;
    const opening = this.#opening;
    if (this.#state.status !== "live") this.#become({ status: "starting" });
    const opened = await this.#openChosen(open);
    if (opening !== this.#opening) {
      if ("stream" in opened) stop(opened.stream);
      return;
    }
    if ("stream" in opened) this.#watch(opened.stream);
    const before = this.#state;
    this.#become(
      "stream" in opened
        ? { status: "live", ...opened }
        : { status: "failed", problem: opened.problem },
    );
    if (before.status === "live") stop(before.stream);
  }

  /** Opens the chosen device, or the system's choice when that one is gone. */
  async #openChosen(
    open: NonNullable<CapturePorts["open"]>,
  ): Promise<{ stream: MediaStream; fallback: boolean } | { problem: MicrophoneProblem }> {
    const options = this.#options;
    try {
      return { stream: await open(captureConstraints(options, "exact")), fallback: false };
    } catch (error) {
      const problem = problemOf(error);
      if (options.inputDeviceId === "" || problem !== "missing") return { problem };
    }
    try {
      return { stream: await open(captureConstraints(options, "any")), fallback: true };
    } catch (error) {
      return { problem: problemOf(error) };
    }
  }

  #watch(stream: MediaStream): void {
    for (const track of stream.getAudioTracks()) {
      track.addEventListener("ended", () => {
        if (this.#state.status !== "live" || this.#state.stream !== stream) return;
        this.#become({ status: "failed", problem: "unplugged" });
        this.retry();
      });
    }
  }

  #close(): void {
    this.#linger = undefined;
    this.#opening += 1;
    if (this.#state.status === "live") stop(this.#state.stream);
    this.#become({ status: "off" });
  }

  #become(state: CaptureState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

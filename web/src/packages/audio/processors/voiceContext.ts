// The page's one AudioContext: capture and playback share it, and it sleeps while nobody uses it.

/** Whether sound can flow. `blocked`: the browser waits for a click or key before it plays. */
export type ContextStatus = "asleep" | "running" | "blocked" | "unsupported";

const GESTURES = ["pointerdown", "keydown", "touchend"] as const;

/** Owns the AudioContext; made on first use, because browsers warn about one made before a gesture. */
export class VoiceContext {
  #context: AudioContext | undefined;
  #users = 0;
  #status: ContextStatus = "asleep";
  readonly #listeners = new Set<() => void>();

  status = (): ContextStatus => this.#status;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Makes the context ready at the first click or key, and hands it, asleep, to `load`: starting
   * the sound system takes a cold browser 200 ms, which joining a call should not wait for.
   */
  prepare(load: (context: AudioContext) => void): void {
    const make = () => {
      for (const gesture of GESTURES) document.removeEventListener(gesture, make, true);
      const context = this.#open();
      if (context === undefined) return;
      load(context);
      if (this.#users === 0) context.suspend().catch(() => undefined);
    };
    for (const gesture of GESTURES) document.addEventListener(gesture, make, true);
  }

  /** Wakes the context and keeps it awake until `release`. Undefined where Web Audio is missing. */
  acquire(): { context: AudioContext; release: () => void } | undefined {
    const context = this.#open();
    if (context === undefined) {
      this.#become("unsupported");
      return undefined;
    }
    this.#users += 1;
    this.#resume(context);
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      this.#users -= 1;
      if (this.#users === 0) this.#sleep(context);
    };
    return { context, release };
  }

  #open(): AudioContext | undefined {
    if (typeof AudioContext === "undefined") return undefined;
    if (this.#context === undefined) {
      // RNNoise works at 48 kHz only, which is Opus's rate as well.
      const context = new AudioContext({ latencyHint: "interactive", sampleRate: 48_000 });
      context.addEventListener("statechange", () => this.#follow(context));
      this.#context = context;
    }
    return this.#context;
  }

  #resume(context: AudioContext): void {
    // Without permission to play, `resume` neither resolves nor rejects: its end is not waited for.
    context.resume().catch(() => undefined);
    this.#follow(context);
  }

  #sleep(context: AudioContext): void {
    this.#stopWaiting();
    this.#become("asleep");
    context.suspend().catch(() => undefined);
  }

  #follow(context: AudioContext): void {
    if (this.#users === 0) return;
    if (context.state === "running") {
      this.#stopWaiting();
      this.#become("running");
      return;
    }
    for (const gesture of GESTURES) document.addEventListener(gesture, this.#onGesture, true);
    // Starting takes up to two seconds where the sound system is cold: that alone is no block.
    setTimeout(() => {
      const waits = this.#users > 0 && context.state !== "running";
      if (waits && !mayPlay(context)) this.#become("blocked");
    }, 500);
  }

  readonly #onGesture = (): void => {
    this.#context?.resume().catch(() => undefined);
  };

  #stopWaiting(): void {
    for (const gesture of GESTURES) document.removeEventListener(gesture, this.#onGesture, true);
  }

  #become(status: ContextStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    for (const listener of this.#listeners) listener();
  }
}

type AutoplayNavigator = Navigator & {
  /** Firefox only (Autoplay Policy Detection, section 2). */
  getAutoplayPolicy?: (context: AudioContext) => "allowed" | "allowed-muted" | "disallowed";
};

/** Whether the browser's autoplay policy lets the context start without another gesture. */
function mayPlay(context: AudioContext): boolean {
  const browser: AutoplayNavigator = navigator;
  const policy = browser.getAutoplayPolicy?.(context);
  return policy === undefined ? browser.userActivation.hasBeenActive : policy === "allowed";
}

/** The page's context. */
export const voiceContext = new VoiceContext();

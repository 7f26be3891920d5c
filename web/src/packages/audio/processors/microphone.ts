// The page's microphone as a whole: captured stream, pipeline and the track that calls send.

import { type AudioOptions, type CaptureOptions, sameCapture } from "../options.ts";
import { Capture, type CaptureState } from "./capture.ts";
import { SILENCE_DB } from "./decibels.ts";
import { type GateReport, loadGate } from "./gateNode.ts";
import { Pipeline } from "./pipeline.ts";
import { RAMP_MS } from "./ramp.ts";
import { type VoiceContext, voiceContext } from "./voiceContext.ts";

const DEFAULT_OPTIONS: AudioOptions = {
  inputDeviceId: "",
  outputDeviceId: "",
  inputVolume: 1,
  outputVolume: 1,
  gateEnabled: false,
  gateThresholdDb: SILENCE_DB,
  noiseSuppression: false,
  echoCancellation: true,
  autoGain: true,
};

const QUIET: GateReport = { inputDb: SILENCE_DB, open: false };

/** Owns capture and pipeline. Exists once; calls and meters share it. */
export class Microphone {
  readonly #capture: Capture;
  readonly #voice: VoiceContext;
  readonly #listeners = new Set<() => void>();
  readonly #levelListeners = new Set<(report: GateReport) => void>();
  #options = DEFAULT_OPTIONS;
  #pipeline: Pipeline | undefined;
  #releaseContext: (() => void) | undefined;
  #report = QUIET;
  #muted = false;
  #muteTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(capture: Capture, voice: VoiceContext) {
    this.#capture = capture;
    this.#voice = voice;
    capture.subscribe(() => this.#follow());
  }

  state = (): CaptureState => this.#capture.state();

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** What a call sends: there as soon as the microphone is acquired, silent until it is live. */
  track(): MediaStreamTrack | undefined {
    if (this.#pipeline !== undefined) return this.#pipeline.track;
    const state = this.#capture.state();
    return state.status === "live" ? state.stream.getAudioTracks()[0] : undefined;
  }

  /** Hears what is sent; undefined while the microphone is off. */
  analyser(): AnalyserNode | undefined {
    return this.#pipeline?.analyser;
  }

  /** What the gate hears at the moment, also while muted. */
  level = (): GateReport => this.#report;

  subscribeLevel = (listener: (report: GateReport) => void): (() => void) => {
    this.#levelListeners.add(listener);
    return () => this.#levelListeners.delete(listener);
  };

  /** Loads what calls need at the person's first click, so that joining does not wait for it. */
  prepare(): void {
    this.#voice.prepare((context) => {
      if (context.audioWorklet !== undefined) loadGate(context).catch(() => undefined);
    });
  }

  /** Opens the microphone for one user. Returns the end of this use. */
  acquire(): () => void {
    // The pipeline first: its track can go into an SDP answer while the permission prompt is open.
    this.#openPipeline();
    const release = this.#capture.acquire();
    this.#changed();
    return release;
  }

  retry(): void {
    this.#capture.retry();
  }

  configure(options: AudioOptions): void {
    const before: CaptureOptions = this.#options;
    this.#options = options;
    this.#pipeline?.setOptions(options);
    if (!sameCapture(before, options)) this.#capture.configure(options);
  }

  devicesChanged(inputs: readonly string[]): void {
    this.#capture.devicesChanged(inputs);
  }

  setMuted(muted: boolean): void {
    this.#muted = muted;
    clearTimeout(this.#muteTimer);
    this.#pipeline?.setMuted(muted);
    const apply = () => {
      const track = this.track();
      if (track !== undefined) track.enabled = !this.#muted;
    };
    // A disabled track is cut off at once: the ramp has to end first.
    if (muted) this.#muteTimer = setTimeout(apply, 2 * RAMP_MS);
    else apply();
  }

  #openPipeline(): void {
    if (this.#pipeline !== undefined) return;
    const held = this.#voice.acquire();
    if (held === undefined) return;
    this.#releaseContext = held.release;
    this.#pipeline = new Pipeline(held.context, this.#options, (report) => this.#tell(report));
    this.setMuted(this.#muted);
  }

  #follow(): void {
    const state = this.#capture.state();
    if (state.status === "off") this.#closePipeline();
    else this.#pipeline?.setSource(state.status === "live" ? state.stream : undefined);
    if (state.status === "live") this.setMuted(this.#muted);
    this.#changed();
  }

  #closePipeline(): void {
    clearTimeout(this.#muteTimer);
    this.#pipeline?.close();
    this.#pipeline = undefined;
    this.#releaseContext?.();
    this.#releaseContext = undefined;
    this.#tell(QUIET);
  }

  #tell(report: GateReport): void {
    this.#report = report;
    for (const listener of this.#levelListeners) listener(report);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function browserCapture(): Capture {
  const devices = globalThis.navigator?.mediaDevices;
  return new Capture(
    {
      open:
        devices?.getUserMedia === undefined
          ? undefined
          : (audio) => devices.getUserMedia({ audio, video: false }),
      isSecure: globalThis.isSecureContext ?? false,
      setTimer: (run, ms) => window.setTimeout(run, ms),
      clearTimer: (timer) => window.clearTimeout(timer),
    },
    DEFAULT_OPTIONS,
  );
}

/** The page's microphone. */
export const microphone = new Microphone(browserCapture(), voiceContext);

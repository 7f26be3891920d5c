// The way of the own voice: microphone > suppression > gate > volume > mute > analyser > track.
// The outgoing track never changes, so another microphone costs the call nothing.

import { gateSettings, type ProcessingOptions } from "../options.ts";
import { clamp } from "./decibels.ts";
import { type GateReport, gateNode, loadGate } from "./gateNode.ts";
import { rampTo } from "./ramp.ts";
import { type Suppressor, suppressor } from "./suppression.ts";

/** Twice the amplitude is +6 dB: more only clips. */
const MAX_VOLUME = 2;

/** Web Audio from the microphone to the track that is sent. */
export class Pipeline {
  /** What is sent. Silent while muted, gated or without a microphone. */
  readonly track: MediaStreamTrack;
  /** Hears what is sent. */
  readonly analyser: AnalyserNode;
  readonly #context: AudioContext;
  readonly #entry: GainNode;
  readonly #volume: GainNode;
  readonly #mute: GainNode;
  readonly #onReport: (report: GateReport) => void;
  #source: MediaStreamAudioSourceNode | undefined;
  #gate: AudioWorkletNode | undefined;
  #suppressor: Suppressor | undefined;
  #options: ProcessingOptions;
  #closed = false;

  constructor(
    context: AudioContext,
    options: ProcessingOptions,
    onReport: (report: GateReport) => void,
  ) {
    this.#context = context;
    this.#options = options;
    this.#onReport = onReport;
    this.#entry = new GainNode(context, { channelCount: 1, channelCountMode: "explicit" });
    this.#volume = new GainNode(context, { gain: clamp(options.inputVolume, 0, MAX_VOLUME) });
    this.#mute = new GainNode(context);
    this.analyser = new AnalyserNode(context, { fftSize: 1024 });
    const sink = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    this.#volume.connect(this.#mute).connect(this.analyser).connect(sink);
    this.#wire();
    const [track] = sink.stream.getAudioTracks();
    if (track === undefined) throw new Error("a stream destination has no audio track");
    this.track = track;
    this.#addGate().catch(() => undefined);
    this.#followSuppression().catch(() => undefined);
  }

  /** Takes the sound of another microphone, or of none. */
  setSource(stream: MediaStream | undefined): void {
    this.#source?.disconnect();
    this.#source = stream === undefined ? undefined : this.#context.createMediaStreamSource(stream);
    this.#source?.connect(this.#entry);
  }

  setOptions(options: ProcessingOptions): void {
    this.#options = options;
    const volume = clamp(options.inputVolume, 0, MAX_VOLUME);
    rampTo(this.#volume.gain, volume, this.#context.currentTime);
    this.#gate?.port.postMessage(gateSettings(options));
    this.#followSuppression().catch(() => undefined);
  }

  setMuted(muted: boolean): void {
    rampTo(this.#mute.gain, muted ? 0 : 1, this.#context.currentTime);
  }

  close(): void {
    this.#closed = true;
    this.#source?.disconnect();
    this.#gate?.port.postMessage("end");
    this.#dropSuppressor();
    this.#entry.disconnect();
    this.#gate?.disconnect();
    this.#volume.disconnect();
    this.track.stop();
  }

  async #addGate(): Promise<void> {
    if (this.#context.audioWorklet === undefined) return;
    await loadGate(this.#context);
    if (this.#closed) return;
    this.#gate = gateNode(this.#context, gateSettings(this.#options));
    this.#gate.port.onmessage = (message: MessageEvent<GateReport>) => this.#onReport(message.data);
    this.#wire();
  }

  async #followSuppression(): Promise<void> {
    if (!this.#options.noiseSuppression) {
      this.#dropSuppressor();
      this.#wire();
      return;
    }
    if (this.#suppressor !== undefined) return;
    const made = await suppressor(this.#context);
    // While the code loaded, the wish may have changed or another call may have been faster.
    if (this.#closed || this.#suppressor !== undefined || !this.#options.noiseSuppression) {
      made?.destroy();
      return;
    }
    this.#suppressor = made;
    this.#wire();
  }

  #dropSuppressor(): void {
    this.#suppressor?.disconnect();
    this.#suppressor?.destroy();
    this.#suppressor = undefined;
  }

  /** Connects entry > suppressor > gate > volume, leaving out what does not exist. */
  #wire(): void {
    this.#entry.disconnect();
    this.#suppressor?.disconnect();
    this.#gate?.disconnect();
    const stages = [this.#suppressor, this.#gate, this.#volume].filter(
      (stage) => stage !== undefined,
    );
    let from: AudioNode = this.#entry;
    for (const stage of stages) from = from.connect(stage);
  }
}

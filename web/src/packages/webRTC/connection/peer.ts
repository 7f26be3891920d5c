// One RTCPeerConnection towards the SFU: answers its offers, sends one voice, receives slots.

import type { StatsEntry } from "./stats.ts";

/** The m-line that carries the own microphone; audio slots are `a0`, `a1`, … */
const MICROPHONE_MID = "mic";
const SLOT_MID = /^a\d+$/;

/** What a peer tells. */
export type PeerListener = {
  connected(): void;
  interrupted(): void;
  failed(): void;
  slot(mid: string, track: MediaStreamTrack): void;
};

/** A slot as it is polled. */
export type SlotReceiver = { readonly mid: string; readonly receiver: RTCRtpReceiver };

/** Owns the connection. After `close` it tells nothing more. */
export class Peer {
  readonly #connection: RTCPeerConnection;
  readonly #slots: SlotReceiver[] = [];
  readonly #listener: PeerListener;
  #microphone: RTCRtpSender | undefined;
  #track: MediaStreamTrack | null = null;

  constructor(listener: PeerListener) {
    this.#listener = listener;
    // The SFU's offer names its own addresses: no STUN or TURN server is asked.
    this.#connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.#connection.onconnectionstatechange = () => this.#follow();
    this.#connection.ontrack = ({ transceiver, receiver, track }) => {
      const { mid } = transceiver;
      if (mid === null || !SLOT_MID.test(mid)) return;
      this.#slots.push({ mid, receiver });
      listener.slot(mid, track);
    };
  }

  /** The slots that the offers brought so far. */
  get slots(): readonly SlotReceiver[] {
    return this.#slots;
  }

  /**
   * Takes an offer and returns the answer, without waiting for candidates: the SFU is ICE-lite
   * and learns the address from the first check.
   */
  async answer(offerSdp: string): Promise<string> {
    await this.#connection.setRemoteDescription({ type: "offer", sdp: offerSdp });
    const line = this.#connection
      .getTransceivers()
      .find((transceiver) => transceiver.mid === MICROPHONE_MID);
    if (line !== undefined && this.#microphone === undefined) {
      // Before the answer: a line answered as inactive would need an offer to come alive. It is
      // sendonly without a track, too, so that a microphone can come later.
      line.direction = "sendonly";
      this.#microphone = line.sender;
      await line.sender.replaceTrack(this.#track);
    }
    await this.#connection.setLocalDescription();
    const sdp = this.#connection.localDescription?.sdp;
    if (sdp === undefined) throw new Error("the browser made no answer");
    return sdp;
  }

  /** Sends `track` from here on, without any negotiation. */
  async send(track: MediaStreamTrack | undefined): Promise<void> {
    this.#track = track ?? null;
    if (this.#microphone?.track !== this.#track) await this.#microphone?.replaceTrack(this.#track);
  }

  async stats(): Promise<StatsEntry[]> {
    const entries: StatsEntry[] = [];
    const report = await this.#connection.getStats();
    report.forEach((entry: StatsEntry) => {
      entries.push(entry);
    });
    return entries;
  }

  close(): void {
    this.#connection.onconnectionstatechange = null;
    this.#connection.ontrack = null;
    this.#connection.close();
  }

  #follow(): void {
    switch (this.#connection.connectionState) {
      case "connected":
        this.#listener.connected();
        break;
      case "disconnected":
        this.#listener.interrupted();
        break;
      case "failed":
        this.#listener.failed();
        break;
      case "new":
      case "connecting":
      case "closed":
        break;
    }
  }
}

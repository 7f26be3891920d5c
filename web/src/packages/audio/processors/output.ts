// Sends the page's sound to a chosen output device, by what the browser offers for it.

type SinkContext = AudioContext & { setSinkId?: (sinkId: string) => Promise<void> };

function contextHasSink(): boolean {
  return typeof AudioContext !== "undefined" && "setSinkId" in AudioContext.prototype;
}

function elementHasSink(): boolean {
  return typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;
}

/** Whether this browser lets a page choose the output device. */
export function canChooseOutput(): boolean {
  return contextHasSink() || elementHasSink();
}

/**
 * The end of the playback graph. Chromium moves the whole context to a device; Firefox moves
 * elements only, so there a chosen device (and only then: it adds delay) is fed by an element.
 */
export class Output {
  readonly #context: SinkContext;
  readonly #input: AudioNode;
  #element: { readonly audio: HTMLAudioElement; readonly node: AudioNode } | undefined;
  #deviceId = "";

  constructor(context: AudioContext, input: AudioNode) {
    this.#context = context;
    this.#input = input;
    input.connect(context.destination);
  }

  /** Moves the sound to `deviceId`, empty for the system's choice. A device that is gone: the system's. */
  async choose(deviceId: string): Promise<void> {
    if (deviceId === this.#deviceId && (await isThere(deviceId))) return;
    try {
      await this.#move(deviceId);
      this.#deviceId = deviceId;
    } catch {
      if (this.#deviceId !== "") await this.#move("");
      this.#deviceId = "";
    }
  }

  close(): void {
    this.#input.disconnect();
    this.#dropElement();
  }

  async #move(deviceId: string): Promise<void> {
    if (contextHasSink()) {
      await this.#context.setSinkId?.(deviceId);
      return;
    }
    if (deviceId === "" || !elementHasSink()) {
      this.#input.disconnect();
      this.#dropElement();
      this.#input.connect(this.#context.destination);
      return;
    }
    await this.#moveByElement(deviceId);
  }

  async #moveByElement(deviceId: string): Promise<void> {
    const audio = new Audio();
    await audio.setSinkId(deviceId);
    const node = new MediaStreamAudioDestinationNode(this.#context);
    audio.srcObject = node.stream;
    this.#input.disconnect();
    this.#dropElement();
    this.#input.connect(node);
    this.#element = { audio, node };
    await audio.play();
  }

  #dropElement(): void {
    if (this.#element === undefined) return;
    this.#element.audio.pause();
    this.#element.audio.srcObject = null;
    this.#element = undefined;
  }
}

async function isThere(deviceId: string): Promise<boolean> {
  if (deviceId === "") return true;
  const found = await navigator.mediaDevices.enumerateDevices();
  return found.some((device) => device.deviceId === deviceId);
}

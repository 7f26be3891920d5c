// What a page would play to its person: a tap on everything that reaches the loudspeaker, put
// into the page before the client's own code. The client knows nothing of it.

/** Runs in the page. Sets `window.ear`. */
export function installEar() {
  const taps = new Map();
  const connect = AudioNode.prototype.connect;

  const tapOf = (context) => {
    let tap = taps.get(context);
    if (!tap) {
      const spectrum = new AnalyserNode(context, { fftSize: 16_384, smoothingTimeConstant: 0 });
      const wave = new AnalyserNode(context, { fftSize: 512 });
      tap = { spectrum, wave };
      taps.set(context, tap);
    }
    return tap;
  };

  AudioNode.prototype.connect = function (to, ...rest) {
    const result = connect.call(this, to, ...rest);
    if (to instanceof AudioDestinationNode) {
      const tap = tapOf(to.context);
      connect.call(this, tap.spectrum);
      connect.call(this, tap.wave);
    }
    return result;
  };

  const connections = [];
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      connections.push(this);
    }
  };

  const loudest = () => {
    let peak = 0;
    for (const { wave } of taps.values()) {
      const samples = new Float32Array(wave.fftSize);
      wave.getFloatTimeDomainData(samples);
      for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    }
    return peak;
  };

  window.ear = {
    connections,
    /** Level in dB at each frequency, and of the noise floor between them. */
    levels(frequencies) {
      const levels = frequencies.map(() => -200);
      for (const { spectrum } of taps.values()) {
        const bins = new Float32Array(spectrum.frequencyBinCount);
        spectrum.getFloatFrequencyData(bins);
        const width = spectrum.context.sampleRate / spectrum.fftSize;
        frequencies.forEach((hz, i) => {
          const at = Math.round(hz / width);
          levels[i] = Math.max(levels[i], bins[at - 1], bins[at], bins[at + 1]);
        });
      }
      return levels;
    },
    /** Milliseconds from the next click on `element` to the first audible sample. */
    timeToAudible(element) {
      return new Promise((resolve) => {
        element.addEventListener(
          "click",
          () => {
            const clicked = performance.now();
            const timer = setInterval(() => {
              if (loudest() > 0.01) {
                clearInterval(timer);
                resolve(performance.now() - clicked);
              }
            }, 4);
          },
          { once: true, capture: true },
        );
      });
    },
    /** Whether nothing at all was played for `ms`. */
    async silentFor(ms) {
      const until = performance.now() + ms;
      while (performance.now() < until) {
        if (loudest() > 0.001) return false;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return true;
    },
    /** Runs `ms` and gives the longest stretch without sound, in milliseconds. */
    async longestGap(ms) {
      const until = performance.now() + ms;
      let heard = performance.now();
      let longest = 0;
      while (performance.now() < until) {
        if (loudest() > 0.01) heard = performance.now();
        longest = Math.max(longest, performance.now() - heard);
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
      return longest;
    },
  };
}

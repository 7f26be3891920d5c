import { describe, expect, test } from "vitest";
import type { CaptureOptions } from "../options.ts";
import { Capture, LINGER_MS } from "./capture.ts";

const OPTIONS: CaptureOptions = {
  inputDeviceId: "",
  noiseSuppression: false,
  echoCancellation: true,
  autoGain: true,
};

class FakeTrack extends EventTarget {
  stopped = false;
  stop() {
    this.stopped = true;
  }
}

class FakeStream {
  readonly track = new FakeTrack();
  constructor(readonly constraints: MediaTrackConstraints) {}
  getTracks = () => [this.track];
  getAudioTracks = () => [this.track];
}

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

/** A microphone that a test opens by hand, with timers that a test runs by hand. */
function stand(options = OPTIONS, answers: (Error | "open" | Promise<void>)[] = []) {
  const streams: FakeStream[] = [];
  const timers = new Map<number, { run: () => void; ms: number }>();
  const statuses: string[] = [];
  const capture = new Capture(
    {
      open: async (constraints) => {
        const answer = answers.shift() ?? "open";
        if (answer instanceof Error) throw answer;
        if (answer !== "open") await answer;
        const stream = new FakeStream(constraints);
        streams.push(stream);
        return stream as unknown as MediaStream;
      },
      isSecure: true,
      setTimer: (run, ms) => {
        timers.set(timers.size + 1, { run, ms });
        return timers.size;
      },
      clearTimer: (timer) => timers.delete(timer),
    },
    options,
  );
  capture.subscribe(() => statuses.push(capture.state().status));
  const settle = () => new Promise((done) => setTimeout(done, 0));
  return { capture, streams, timers, statuses, settle };
}

describe("capture", () => {
  test("two users share one stream", async () => {
    const { capture, streams, settle } = stand();
    capture.acquire();
    capture.acquire();
    await settle();
    expect(streams).toHaveLength(1);
    expect(capture.state().status).toBe("live");
  });

  test("is released 2 s after the last use, and not before", async () => {
    const { capture, streams, timers, settle } = stand();
    const first = capture.acquire();
    const second = capture.acquire();
    await settle();
    first();
    first();
    expect(timers.size).toBe(0);
    second();
    const [timer] = timers.values();
    expect(timer?.ms).toBe(LINGER_MS);
    expect(streams[0]?.track.stopped).toBe(false);
    timer?.run();
    expect(streams[0]?.track.stopped).toBe(true);
    expect(capture.state()).toEqual({ status: "off" });
  });

  test("a new use within the 2 s keeps the stream", async () => {
    const { capture, streams, timers, settle } = stand();
    capture.acquire()();
    await settle();
    capture.acquire();
    await settle();
    expect(timers.size).toBe(0);
    expect(streams).toHaveLength(1);
  });

  test("a stream that arrives after its release is stopped", async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((done) => {
      open = done;
    });
    const { capture, streams, timers, settle } = stand(OPTIONS, [gate]);
    capture.acquire()();
    [...timers.values()][0]?.run();
    open();
    await settle();
    expect(streams[0]?.track.stopped).toBe(true);
    expect(capture.state()).toEqual({ status: "off" });
  });

  test.each([
    ["NotAllowedError", "denied"],
    ["NotFoundError", "missing"],
    ["NotReadableError", "busy"],
    ["SecurityError", "insecure"],
    ["TypeError", "unknown"],
  ])("%s is the problem %s", async (name, problem) => {
    const { capture, settle } = stand(OPTIONS, [named(name)]);
    capture.acquire();
    await settle();
    expect(capture.state()).toEqual({ status: "failed", problem });
  });

  test("retry opens it once the person allowed it", async () => {
    const { capture, settle } = stand(OPTIONS, [named("NotAllowedError")]);
    capture.acquire();
    await settle();
    capture.retry();
    await settle();
    expect(capture.state().status).toBe("live");
  });

  test("falls back to the system's choice when the chosen device is gone", async () => {
    const chosen = { ...OPTIONS, inputDeviceId: "usb" };
    const { capture, streams, settle } = stand(chosen, [named("OverconstrainedError")]);
    capture.acquire();
    await settle();
    expect(capture.state()).toMatchObject({ status: "live", fallback: true });
    expect(streams[0]?.constraints.deviceId).toBeUndefined();
  });

  test("a chosen device that comes back is used again", async () => {
    const chosen = { ...OPTIONS, inputDeviceId: "usb" };
    const { capture, streams, settle } = stand(chosen, [named("OverconstrainedError")]);
    capture.acquire();
    await settle();
    capture.devicesChanged(["other"]);
    await settle();
    expect(streams).toHaveLength(1);
    capture.devicesChanged(["other", "usb"]);
    await settle();
    expect(capture.state()).toMatchObject({ status: "live", fallback: false });
  });

  test("the first microphone that is plugged in is used", async () => {
    const { capture, settle } = stand(OPTIONS, [named("NotFoundError")]);
    capture.acquire();
    await settle();
    capture.devicesChanged([]);
    expect(capture.state().status).toBe("failed");
    capture.devicesChanged(["usb"]);
    await settle();
    expect(capture.state().status).toBe("live");
  });

  test("another device replaces the live one without a gap", async () => {
    const { capture, streams, statuses, settle } = stand();
    capture.acquire();
    await settle();
    capture.configure({ ...OPTIONS, inputDeviceId: "usb" });
    expect(streams[0]?.track.stopped).toBe(false);
    await settle();
    expect(streams[0]?.track.stopped).toBe(true);
    expect(streams[1]?.track.stopped).toBe(false);
    expect(streams[1]?.constraints.deviceId).toEqual({ exact: "usb" });
    expect(statuses).toEqual(["starting", "live", "live"]);
  });

  test("other processing of the same device opens it anew, after its release", async () => {
    const { capture, streams, settle } = stand();
    capture.acquire();
    await settle();
    capture.configure({ ...OPTIONS, noiseSuppression: true });
    expect(streams[0]?.track.stopped).toBe(true);
    await settle();
    expect(streams[1]?.constraints.noiseSuppression).toBe(true);
    expect(capture.state().status).toBe("live");
  });

  test("an unplugged microphone is replaced by the system's choice", async () => {
    const { capture, streams, statuses, settle } = stand();
    capture.acquire();
    await settle();
    streams[0]?.track.dispatchEvent(new Event("ended"));
    await settle();
    expect(streams).toHaveLength(2);
    expect(statuses).toEqual(["starting", "live", "failed", "starting", "live"]);
  });

  test("the latest of two changes wins, whichever opens first", async () => {
    let open: () => void = () => undefined;
    const slow = new Promise<void>((done) => {
      open = done;
    });
    const { capture, streams, settle } = stand(OPTIONS, ["open", slow, "open"]);
    capture.acquire();
    await settle();
    capture.configure({ ...OPTIONS, inputDeviceId: "one" });
    capture.configure({ ...OPTIONS, inputDeviceId: "two" });
    await settle();
    open();
    await settle();
    const live = streams.filter((stream) => !stream.track.stopped);
    expect(live.map((stream) => stream.constraints.deviceId)).toEqual([{ exact: "two" }]);
  });

  test("a page that may not capture says so", () => {
    const capture = new Capture(
      { open: undefined, isSecure: false, setTimer: () => 0, clearTimer: () => undefined },
      OPTIONS,
    );
    capture.acquire();
    expect(capture.state()).toEqual({ status: "failed", problem: "insecure" });
  });
});

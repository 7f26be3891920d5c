// A sound system with one null sink: without any, Firefox never starts an AudioContext.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Starts a PulseAudio of the tests' own and points this process's children at it. */
export async function startSound() {
  const dir = mkdtempSync(join(tmpdir(), "gryt-sound-"));
  process.env.XDG_RUNTIME_DIR = dir;
  const socket = join(dir, "native");
  process.env.PULSE_SERVER = `unix:${socket}`;
  const daemon = spawn(
    "pulseaudio",
    ["-n", "--daemonize=no", "--exit-idle-time=-1", "-L", "module-null-sink sink_name=null", "-L", `module-native-protocol-unix socket=${socket} auth-anonymous=1`],
    { stdio: "ignore" },
  );
  for (let tries = 0; tries < 100; tries++) {
    const answered = await new Promise((resolve) => {
      spawn("pactl", ["info"], { stdio: "ignore" }).on("exit", (code) => resolve(code === 0));
    });
    if (answered) return () => stop(daemon, dir);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  stop(daemon, dir);
  throw new Error("pulseaudio did not start");
}

function stop(daemon, dir) {
  daemon.kill("SIGTERM");
  rmSync(dir, { recursive: true, force: true });
}

// The product as a person starts it: `cargo xtask up`, in a data folder of its own.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let running = [];

/** Starts the product; `port` and `mediaPort` are the caller's to choose. */
export async function startProduct({ port, mediaPort, dataDir = freshDir(), flags = [] }) {
  const args = ["--port", port, "--media-port", mediaPort, "--data-dir", dataDir, ...flags];
  // The same variable as for the scripted clients: a binary in place of `cargo xtask up`.
  const binary = process.env.GRYT_TEST_BINARY;
  const [program, start] = binary ? [binary, []] : ["cargo", ["xtask", "up"]];
  const child = spawn(program, [...start, ...args.map(String)], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const product = new Product(child, { port, mediaPort, dataDir, flags });
  running.push(product);
  await product.ready;
  return product;
}

/** Ends what is still running and removes its data; for the end of a test file. */
export async function endProducts() {
  for (const product of running) {
    await product.kill("SIGTERM");
    rmSync(product.options.dataDir, { recursive: true, force: true });
  }
  running = [];
}

function freshDir() {
  return mkdtempSync(join(tmpdir(), "gryt-browser-"));
}

class Product {
  constructor(child, options) {
    this.child = child;
    this.options = options;
    this.lines = [];
    this.exited = new Promise((resolve) => child.on("exit", resolve));
    this.ready = new Promise((resolve, reject) => {
      const read = (line) => {
        this.lines.push(line);
        const url = line.match(/Gryt is ready: (\S+)/)?.[1];
        if (url) {
          this.url = url;
          resolve();
        }
      };
      createInterface({ input: child.stdout }).on("line", read);
      createInterface({ input: child.stderr }).on("line", read);
      child.on("exit", (code) =>
        reject(new Error(`the product ended with ${code} before it was ready:\n${this.lines.slice(-30).join("\n")}`)),
      );
    });
  }

  /** Ends the process and waits for it; gives back the milliseconds that took. */
  async kill(signal) {
    const started = performance.now();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.exited;
    return performance.now() - started;
  }

  /** Starts again on the same data folder and ports, after `kill`. */
  async restart() {
    running = running.filter((product) => product !== this);
    return startProduct(this.options);
  }
}

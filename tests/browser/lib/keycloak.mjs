// A Keycloak with the development realm, run by the same script as in the Rust tests, for the people
// of one product.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const { GRYT_TEST_KEYCLOAK: home, GRYT_TEST_JAVA_17: java } = process.env;

/** A busy machine takes its time: 35 s of CPU are usual for the first start. */
const startWithinMs = 600_000;

/** Starts it on `port`, for the product at `productUrl`, with access tokens of `tokenSeconds`. */
export async function startKeycloak({ port, productUrl, tokenSeconds }) {
  if (!home || !java) throw new Error("no Keycloak is named: run `cargo xtask test browser`");
  const folder = mkdtempSync(join(tmpdir(), "gryt-keycloak-"));
  writeRealm(join(folder, "data/import"), { productUrl, tokenSeconds });
  const script = join(root, "tests/backends/src/keycloak/run.sh");
  const shell = spawn("sh", [script, home, java, folder, String(port)], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const keycloak = new Keycloak(shell, folder, `http://localhost:${port}/realms/gryt`);
  try {
    await keycloak.answers();
  } catch (error) {
    await keycloak.end();
    throw error;
  }
  return keycloak;
}

/** The development realm, whose client is at the product's address instead of the usual ones. */
function writeRealm(folder, { productUrl, tokenSeconds }) {
  const realm = JSON.parse(readFileSync(join(root, "deploy/keycloak/gryt-realm.json"), "utf8"));
  const [client] = realm.clients;
  client.redirectUris = [`${productUrl}/signed-in`];
  client.webOrigins = [productUrl];
  client.attributes["post.logout.redirect.uris"] = `${productUrl}/`;
  realm.accessTokenLifespan = tokenSeconds;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "gryt-realm.json"), JSON.stringify(realm));
}

class Keycloak {
  #shell;
  #folder;
  #told;

  constructor(shell, folder, issuer) {
    this.#shell = shell;
    this.#folder = folder;
    this.#told = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
    this.issuer = issuer;
  }

  /** The file that tells a server of it. */
  issuersFile() {
    const file = join(this.#folder, "issuers.json");
    const listed = {
      name: "keycloak",
      label: "Keycloak",
      issuer: this.issuer,
      audience: "gryt-development",
      leeway_seconds: 5,
    };
    writeFileSync(file, JSON.stringify([listed]));
    return file;
  }

  /** Ends it as `kill -9` does. */
  async kill() {
    await this.#tell("kill");
  }

  /** Starts it again on what it kept, and waits until it answers. */
  async startAgain() {
    await this.#tell("start");
    await this.answers();
  }

  async #tell(word) {
    this.#shell.stdin.write(`${word}\n`);
    const { done } = await this.#told.next();
    if (done) throw new Error(`the shell ended instead of obeying "${word}"`);
  }

  /** Waits until the realm answers. */
  async answers() {
    const deadline = performance.now() + startWithinMs;
    const document = `${this.issuer}/.well-known/openid-configuration`;
    while (!(await fetch(document).then(({ ok }) => ok, () => false))) {
      const log = join(this.#folder, "log");
      const said = existsSync(log) ? readFileSync(log, "utf8") : "";
      if (performance.now() > deadline || said.includes("ERROR: Failed to start server")) {
        throw new Error(`Keycloak did not start:\n${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Ends it; nothing of it is left. */
  async end() {
    const ended = new Promise((resolve) => this.#shell.on("exit", resolve));
    this.#shell.stdin.end();
    if (this.#shell.exitCode === null) await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

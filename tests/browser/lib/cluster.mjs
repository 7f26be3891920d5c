// The cluster that `cargo xtask test cluster` starts, from the host: kubectl, and browsers that come
// in by its gateway alone.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const { GRYT_CLUSTER_INDEX: index, GRYT_CLUSTER_BIN: programs, GRYT_CLUSTER_DIR: folder } = process.env;
if (!index || !programs || !folder) {
  throw new Error("no cluster is named: run `cargo xtask test cluster`, or set what `cargo xtask cluster up` prints");
}

/** Runs kubectl; gives its standard output. */
export async function kubectl(args, { input } = {}) {
  const running = run(join(programs, "kubectl"), args, { maxBuffer: 16 << 20 });
  if (input !== undefined) running.child.stdin.end(input);
  const { stdout } = await running;
  return stdout.trim();
}

export async function apply(namespace, yaml) {
  await kubectl(["--namespace", namespace, "apply", "--filename=-"], { input: yaml });
}

export async function waitFor(namespace, object, condition) {
  await kubectl(["--namespace", namespace, "wait", object, `--for=${condition}`, "--timeout=120s"]);
}

/** A value of a Secret. */
export async function secret(namespace, name, key) {
  const encoded = await kubectl(["--namespace", namespace, "get", "secret", name, `--output=jsonpath={.data.${key}}`]);
  return Buffer.from(encoded, "base64").toString();
}

/** A namespace that enforces Pod Security "restricted"; `remove` deletes it. */
export async function makeNamespace(name) {
  const label = "pod-security.kubernetes.io/enforce=restricted";
  await kubectl(["create", "namespace", name]);
  await kubectl(["label", "namespace", name, label]);
  return { name, remove: () => kubectl(["delete", "namespace", name, "--wait=false"]) };
}

/** A home folder whose certificate store trusts the gateway's authority. */
export async function trustingHome() {
  const home = mkdtempSync(join(tmpdir(), "gryt-home-"));
  const store = `sql:${join(home, ".pki/nssdb")}`;
  await run("mkdir", ["-p", join(home, ".pki/nssdb")]);
  await run("certutil", ["-d", store, "-N", "--empty-password"]);
  const authority = join(folder, "pki/gateway-ca.crt");
  await run("certutil", ["-d", store, "-A", "-n", "gryt-test", "-t", "C,,", "-i", authority]);
  return { home, remove: () => rmSync(home, { recursive: true, force: true }) };
}

/** What a browser needs to find the gateway: a name server's answer, nothing more. */
export const NAMES = [`--host-resolver-rules=MAP *.gryt.test 10.199.${index}.11`];

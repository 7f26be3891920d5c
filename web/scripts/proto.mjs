// Writes src/proto from ../proto (needs `buf`: `pip install buf-bin`), and with `--check` proves
// with Node alone that nobody changed one of the two without the other.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const web = fileURLToPath(new URL("..", import.meta.url));
const sources = join(web, "../proto/gryt/client/v1");
const generated = join(web, "src/proto/gryt/client/v1");
const lock = join(web, "src/proto/proto.lock");

function digests() {
  const files = [
    ...readdirSync(sources).map((name) => [`proto/${name}`, join(sources, name)]),
    ...readdirSync(generated).map((name) => [`generated/${name}`, join(generated, name)]),
  ];
  return files
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, path]) =>
        `${createHash("sha256").update(readFileSync(path)).digest("hex")}  ${name}\n`,
    )
    .join("");
}

if (process.argv.includes("--check")) {
  if (readFileSync(lock, "utf8") !== digests()) {
    console.error(
      "src/proto does not belong to ../proto: run `npm run proto` and commit the result",
    );
    process.exit(1);
  }
} else {
  execFileSync("buf", ["generate"], { cwd: web, stdio: "inherit" });
  writeFileSync(lock, digests());
}

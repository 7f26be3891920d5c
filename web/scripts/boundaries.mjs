// Holds the packages apart: one imports another only by its name (`#chat`, its index.ts), and the
// packages never depend on each other in a circle. Prints each breach and fails.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../src", import.meta.url));
const packages = join(src, "packages");
const edges = new Map();
const breaches = [];

/** The package that a file below `src` belongs to, or undefined outside of the packages. */
function owner(path) {
  const [top, name] = relative(src, path).split(sep);
  return top === "packages" ? name : undefined;
}

for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  if (!/\.tsx?$/.test(entry.name)) continue;
  const file = join(entry.parentPath ?? entry.path, entry.name);
  const from = owner(file);
  for (const [, target] of readFileSync(file, "utf8").matchAll(
    /(?:from|import)\s*\(?["']([^"']+)["']/g,
  )) {
    if (target.startsWith(".")) {
      const resolved = join(dirname(file), target);
      const to = owner(resolved);
      if (to !== from && (to !== undefined || from !== undefined)) {
        breaches.push(`${relative(src, file)} reaches into ${relative(src, resolved)}`);
      }
    } else if (from !== undefined && target.startsWith("#") && !target.startsWith("#proto/")) {
      if (target.slice(1) === from) breaches.push(`${relative(src, file)} imports its own index`);
      else edges.set(from, (edges.get(from) ?? new Set()).add(target.slice(1)));
    }
  }
}

function findCircle(name, road) {
  if (road.includes(name)) return [...road.slice(road.indexOf(name)), name];
  for (const next of edges.get(name) ?? []) {
    const circle = findCircle(next, [...road, name]);
    if (circle) return circle;
  }
  return undefined;
}

for (const entry of readdirSync(packages)) {
  const circle = findCircle(entry, []);
  if (circle) breaches.push(`packages depend in a circle: ${circle.join(" > ")}`);
}

for (const breach of new Set(breaches)) console.error(breach);
process.exit(breaches.length === 0 ? 0 : 1);

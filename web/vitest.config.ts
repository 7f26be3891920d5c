// Unit tests are plain modules without a DOM: state machines, reducers, audio maths.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});

// Builds the client into `dist`, which the server embeds and serves at `/`.

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.GRYT_DEV_SERVER ?? "http://localhost:8080";

export default defineConfig({
  plugins: [react()],
  // One page that needs all of its script at once: parts of it would cost a round trip.
  build: { target: "es2023", chunkSizeWarningLimit: 1_000, assetsInlineLimit: 0 },
  server: {
    proxy: {
      "/.well-known/gryt": server,
      "/api": server,
      "/issuer": server,
      "/ws": { target: server, ws: true },
    },
  },
});

// Builds the client into `dist`, which the server embeds and serves at `/`.

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.GRYT_DEV_SERVER ?? "http://localhost:8080";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2023", chunkSizeWarningLimit: 700, assetsInlineLimit: 0 },
  server: {
    proxy: {
      "/.well-known/gryt": server,
      "/api": server,
      "/issuer": server,
      "/ws": { target: server, ws: true },
    },
  },
});

import { defineConfig } from "vite";

// The page lives below /ui/ of the service. For work on it: SEDNA_SERVICE=http://127.0.0.1:PORT npm run dev.
const service = process.env.SEDNA_SERVICE ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/ui/",
  // Preset and babel are not needed: the compiler knows JSX.
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // Nothing inline: the content security policy allows neither inline scripts nor styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": service } },
  preview: { proxy: { "/api": service } },
});

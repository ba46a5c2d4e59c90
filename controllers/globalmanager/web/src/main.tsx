import { render } from "preact";

import { App } from "./app";
import { applyTheme } from "./lib/settings";
import "./styles/index.css";
import { startWords } from "./words";

applyTheme();
void startWords();

// The service has a newer page, and the parts of this one are gone: take the new one, but not in a circle.
addEventListener("vite:preloadError", () => {
  const last = Number(sessionStorage.getItem("sedna.reloaded") ?? 0);
  if (Date.now() - last < 30_000) return;
  sessionStorage.setItem("sedna.reloaded", String(Date.now()));
  location.reload();
});

const place = document.getElementById("page");
if (place) render(<App />, place);

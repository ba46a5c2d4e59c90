import { render } from "preact";

import { App } from "./app";
import { applyTheme } from "./lib/settings";
import "./styles/index.css";
import { startWords } from "./words";

applyTheme();
void startWords();

const place = document.getElementById("page");
if (place) render(<App />, place);

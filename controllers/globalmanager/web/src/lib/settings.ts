// What a person has chosen on this browser.
import { cell, type Cell } from "./cell";

function stored<T extends string>(name: string, fallback: T, allowed: readonly T[]): Cell<T> {
  const key = `sedna.${name}`;
  let first = fallback;
  try {
    const found = localStorage.getItem(key) as T | null;
    if (found !== null && allowed.includes(found)) first = found;
  } catch {
    // storage is refused: the choice lasts as long as the page
  }
  const kept = cell<T>(first);
  kept.subscribe(() => {
    try {
      localStorage.setItem(key, kept.get());
    } catch {
      // as above
    }
  });
  return kept;
}

export type Theme = "auto" | "light" | "dark";
export type Language = "en" | "zh";
export type Switch = "on" | "off";

const preferred: Language = typeof navigator !== "undefined" && navigator.language.startsWith("zh") ? "zh" : "en";

export const theme = stored<Theme>("theme", "auto", ["auto", "light", "dark"]);
export const language = stored<Language>("language", preferred, ["en", "zh"]);
/** Single letters as shortcuts (WCAG 2.1.4 wants a way to turn them off). */
export const letterKeys = stored<Switch>("letter-keys", "on", ["on", "off"]);

export function applyTheme(): void {
  const show = () => document.documentElement.setAttribute("data-theme", theme.get());
  show();
  theme.subscribe(show);
}

/** A note that was agreed to once, per job. */
export function remembered(name: string): { get(): boolean; set(): void } {
  const key = `sedna.once.${name}`;
  let here = false;
  return {
    get() {
      try {
        return here || localStorage.getItem(key) === "1";
      } catch {
        return here;
      }
    },
    set() {
      here = true;
      try {
        localStorage.setItem(key, "1");
      } catch {
        // it is asked again next time
      }
    },
  };
}

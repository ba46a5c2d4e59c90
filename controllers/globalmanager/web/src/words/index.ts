// Words of the page. English is in the first script; Chinese is fetched when it is chosen.
import { cell, useCell } from "../lib/cell";
import { language, type Language } from "../lib/settings";
import { en } from "./en";

export type Word = keyof typeof en;
export type Words = Record<Word, string>;
type Values = Record<string, string | number>;

const loaded: Partial<Record<Language, Words>> = { en };
const shown = cell<Words>(en);

/** `{name}` is a value; `{n:one|many}` chooses by whether n is 1. */
export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)(?::([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    if (one !== undefined) return String(value) === "1" ? one : (many ?? "");
    return String(value);
  });
}

/** For what runs outside of a view. A view takes useWords, and is drawn again when the language changes. */
export function t(word: Word, values?: Values): string {
  return fill(shown.get()[word], values);
}

export type Speak = typeof t;

export function useWords(): Speak {
  useCell(shown);
  return t;
}

async function show(wanted: Language): Promise<void> {
  const words = (loaded[wanted] ??= (await import("./zh")).zh);
  if (language.get() !== wanted) return; // changed again meanwhile
  shown.set(words);
  document.documentElement.lang = wanted === "zh" ? "zh-Hans" : "en";
}

export async function startWords(): Promise<void> {
  language.subscribe(() => void show(language.get()));
  await show(language.get()).catch(() => language.set("en")); // offline: English is here
}

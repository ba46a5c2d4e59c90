import { describe, expect, it } from "vitest";

import { en } from "../words/en";
import { actionOf, FORBIDDEN, HELP, type KeyLike } from "./keys";

const none = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false };
const press = (key: string, more: Partial<KeyLike> = {}): KeyLike => ({ key, code: codeOf(key), ...none, ...more });
const here = { selected: false, letters: true };
const withBox = { selected: true, letters: true };

function codeOf(key: string): string {
  if (/^\d$/.test(key)) return `Digit${key}`;
  return /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : key;
}

describe("every key of the table", () => {
  it.each([
    ["Enter", {}, { do: "submit" }],
    ["s", {}, { do: "skip" }],
    ["ArrowRight", {}, { do: "next" }],
    ["ArrowLeft", {}, { do: "previous" }],
    ["1", {}, { do: "class", index: 0 }],
    ["9", {}, { do: "class", index: 8 }],
    ["0", {}, { do: "class", index: 9 }],
    ["!", { code: "Digit1", shiftKey: true }, { do: "class", index: 10 }],
    ["=", { code: "Digit0", shiftKey: true }, { do: "class", index: 19 }],
    ["/", {}, { do: "find" }],
    ["z", { ctrlKey: true }, { do: "undo" }],
    ["Z", { ctrlKey: true, shiftKey: true }, { do: "redo" }],
    ["y", { ctrlKey: true }, { do: "redo" }],
    ["z", { metaKey: true }, { do: "undo" }],
    ["Backspace", { ctrlKey: true }, { do: "takeBack" }],
    ["Delete", {}, { do: "delete" }],
    ["Backspace", {}, { do: "delete" }],
    ["b", {}, { do: "draw" }],
    ["n", {}, { do: "nextBox" }],
    ["N", { shiftKey: true }, { do: "previousBox" }],
    ["Escape", {}, { do: "unselect" }],
    ["x", {}, { do: "nothing" }],
    ["u", {}, { do: "unsure" }],
    ["z", {}, { do: "bad" }],
    ["a", {}, { do: "acceptAll" }],
    ["y", {}, { do: "accept" }],
    ["Y", { shiftKey: true }, { do: "refuse" }],
    ["h", {}, { do: "hide" }],
    ["f", {}, { do: "fit" }],
    ["+", { shiftKey: true }, { do: "zoomIn" }],
    ["-", {}, { do: "zoomOut" }],
    ["c", {}, { do: "contrast" }],
    ["?", { shiftKey: true }, { do: "help" }],
  ] as const)("%s %o", (key, more, action) => {
    expect(actionOf(press(key, more), here)).toEqual(action);
  });
  it("moves and sizes the selected box by arrows", () => {
    expect(actionOf(press("ArrowLeft"), withBox)).toEqual({ do: "move", dx: -1, dy: 0 });
    expect(actionOf(press("ArrowDown", { shiftKey: true }), withBox)).toEqual({ do: "move", dx: 0, dy: 10 });
    expect(actionOf(press("ArrowUp", { altKey: true }), withBox)).toEqual({ do: "size", dx: 0, dy: -1 });
  });
});

describe("keys that are not ours", () => {
  it.each(FORBIDDEN.map((key) => [JSON.stringify(key), key] as const))("%s stays the browser's", (_, key) => {
    for (const context of [here, withBox]) expect(actionOf(press(key.key ?? "", key), context)).toBeNull();
  });
  it("leaves Alt with an arrow to the browser unless a box is selected", () => {
    expect(actionOf(press("ArrowLeft", { altKey: true }), here)).toBeNull();
  });
  it("takes no letter, digit or sign where they are switched off, and still the rest", () => {
    for (const key of ["s", "x", "1", "/", "?"]) expect(actionOf(press(key), { ...here, letters: false })).toBeNull();
    expect(actionOf(press("Enter"), { ...here, letters: false })).toEqual({ do: "submit" });
  });
  it("takes nothing while an input method composes", () => {
    expect(actionOf(press("a", { isComposing: true }), here)).toBeNull();
  });
});

it("knows letters whatever caps lock says", () => {
  expect(actionOf(press("S"), here)).toEqual({ do: "skip" });
  expect(actionOf(press("n", { shiftKey: true }), here)).toEqual({ do: "previousBox" });
});

it("reads digits by their place, on a layout where they need Shift", () => {
  expect(actionOf(press("&", { code: "Digit1" }), here)).toEqual({ do: "class", index: 0 });
  expect(actionOf(press("7", { code: "Numpad7" }), here)).toEqual({ do: "class", index: 6 });
  expect(actionOf(press("Home", { code: "Numpad7" }), here)).toBeNull(); // num lock is off
});

it("has a word for each line of its help", () => {
  for (const { word } of HELP) expect(en[word]).toBeTruthy();
});

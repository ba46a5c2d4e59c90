// From a key to what it does. One table: the help and the tests read it too.

export type Action =
  | { do: "submit" | "skip" | "next" | "previous" | "find" | "undo" | "redo" | "takeBack" }
  | { do: "delete" | "draw" | "nextBox" | "previousBox" | "unselect" | "nothing" | "unsure" | "bad" }
  | { do: "acceptAll" | "accept" | "refuse" | "hide" | "fit" | "zoomIn" | "zoomOut" | "contrast" | "help" }
  | { do: "class"; index: number }
  | { do: "move" | "size"; dx: number; dy: number };

export interface KeyLike {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
  isComposing: boolean;
}

export interface KeyContext {
  /** A box is selected: arrows move it. */
  selected: boolean;
  /** Single letters are switched on. */
  letters: boolean;
}

/** What the browser and the system need; the table never takes one of them. */
export const FORBIDDEN: readonly Partial<KeyLike>[] = [
  ...["w", "t", "n", "Tab", "r", "l", "f", "p", "q"].map((key) => ({ key, ctrlKey: true })),
  { key: "Tab" },
  { key: "Tab", shiftKey: true },
  { key: "Tab", altKey: true },
  { key: "Alt", altKey: true },
  { key: "F5" },
  { key: "F11" },
  { key: "F12" },
  ...["a", "b", "d", "e", "f", "h", "n", "s", "u", "x", "y", "z"].map((key) => ({ key, altKey: true })),
];

const LETTERS: Record<string, Action> = {
  s: { do: "skip" },
  b: { do: "draw" },
  n: { do: "nextBox" },
  N: { do: "previousBox" },
  x: { do: "nothing" },
  u: { do: "unsure" },
  z: { do: "bad" },
  a: { do: "acceptAll" },
  y: { do: "accept" },
  Y: { do: "refuse" },
  h: { do: "hide" },
  f: { do: "fit" },
  c: { do: "contrast" },
};

const SIGNS: Record<string, Action> = {
  "/": { do: "find" },
  "+": { do: "zoomIn" },
  "=": { do: "zoomIn" },
  "-": { do: "zoomOut" },
  "?": { do: "help" },
};

const PLAIN: Record<string, Action> = {
  Enter: { do: "submit" },
  Escape: { do: "unselect" },
  Delete: { do: "delete" },
  Backspace: { do: "delete" },
};

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** What a key does here, or null: then it is the browser's. */
export function actionOf(event: KeyLike, context: KeyContext): Action | null {
  if (event.isComposing) return null; // it belongs to an input method
  if (event.ctrlKey || event.metaKey) return event.altKey ? null : withControl(event);
  const arrow = ARROWS[event.key];
  if (arrow) return arrowAction(arrow, event, context);
  if (event.altKey) return null;
  const plain = PLAIN[event.key];
  if (plain) return event.shiftKey ? null : plain;
  if (!context.letters) return null;
  // Shift+3 is a sign, another one on each layout; and on a French one the bare key is no digit.
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1];
  if (digit !== undefined && (event.code.startsWith("Digit") || event.key === digit)) {
    return { do: "class", index: ((Number(digit) + 9) % 10) + (event.shiftKey ? 10 : 0) };
  }
  const sign = SIGNS[event.key];
  if (sign) return sign;
  const letter = event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase(); // caps lock turns them over
  return LETTERS[letter] ?? null;
}

const HELD: ReadonlySet<Action["do"]> = new Set([
  "move", "size", "zoomIn", "zoomOut", "undo", "redo", "nextBox", "previousBox", "delete",
]);

/** Whether a key that is held down does it again and again. One press is one answer, and one "yes". */
export function mayRepeat(action: Action): boolean {
  return HELD.has(action.do);
}

function withControl(event: KeyLike): Action | null {
  const key = event.key.toLowerCase();
  if (key === "z") return { do: event.shiftKey ? "redo" : "undo" };
  if (event.shiftKey) return null;
  if (key === "y") return { do: "redo" };
  return event.key === "Backspace" ? { do: "takeBack" } : null;
}

function arrowAction([dx, dy]: [number, number], event: KeyLike, context: KeyContext): Action | null {
  if (context.selected) {
    const by = event.shiftKey ? 10 : 1;
    return { do: event.altKey ? "size" : "move", dx: dx * by, dy: dy * by };
  }
  if (event.altKey || event.shiftKey || dy !== 0) return null;
  return { do: dx > 0 ? "next" : "previous" };
}

/** For the help: keys, and the word that says what they do. */
export const HELP = [
  { keys: ["Enter"], word: "key.submit" },
  { keys: ["S"], word: "key.skip" },
  { keys: ["→", "←"], word: "key.pictures" },
  { keys: ["1–9", "0"], word: "key.class" },
  { keys: ["Shift 1–0"], word: "key.class20" },
  { keys: ["/"], word: "key.find" },
  { keys: ["B"], word: "key.draw" },
  { keys: ["N", "Shift N"], word: "key.boxes" },
  { keys: ["← → ↑ ↓"], word: "key.move" },
  { keys: ["Alt ← → ↑ ↓"], word: "key.size" },
  { keys: ["Del", "⌫"], word: "key.delete" },
  { keys: ["Esc"], word: "key.unselect" },
  { keys: ["A"], word: "key.acceptAll" },
  { keys: ["Y", "Shift Y"], word: "key.accept" },
  { keys: ["X"], word: "key.nothing" },
  { keys: ["U"], word: "key.unsure" },
  { keys: ["Z"], word: "key.bad" },
  { keys: ["Ctrl Z"], word: "key.undo" },
  { keys: ["Ctrl Shift Z", "Ctrl Y"], word: "key.redo" },
  { keys: ["Ctrl ⌫"], word: "key.takeBack" },
  { keys: ["+", "−"], word: "key.zoom" },
  { keys: ["F"], word: "key.fit" },
  { keys: ["H"], word: "key.hide" },
  { keys: ["C"], word: "key.contrast" },
  { keys: ["?"], word: "key.help" },
] as const;

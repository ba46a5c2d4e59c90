import { act } from "preact/test-utils";
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Action } from "./keys";
import { useKeys } from "./useKeys";

const place = document.body.appendChild(document.createElement("div"));
const done = vi.fn();
const doIt = (action: Action) => void done(action.do);
const chosen = () => true;

function View() {
  useKeys(doIt, chosen);
  return <button type="button">answer</button>;
}

beforeEach(async () => {
  done.mockClear();
  await act(() => render(<View />, place));
});
afterEach(() => act(() => render(null, place)));

function press(key: string, repeat: boolean, on: Element = document.body, more: KeyboardEventInit = {}): KeyboardEvent {
  const code = /^[a-z]$/.test(key) ? `Key${key.toUpperCase()}` : /^[0-9]$/.test(key) ? `Digit${key}` : key;
  const event = new KeyboardEvent("keydown", { key, code, repeat, bubbles: true, cancelable: true, ...more });
  on.dispatchEvent(event);
  return event;
}

it.each(["Enter", "x", "u", "z", "s", "a", "1"])("answers once by %s, however long it is held", (key) => {
  press(key, false);
  for (let at = 0; at < 9; at++) expect(press(key, true).defaultPrevented).toBe(true);
  expect(done).toHaveBeenCalledOnce();
});

it("takes one answer back while Ctrl Backspace is held", () => {
  press("Backspace", false, document.body, { ctrlKey: true });
  press("Backspace", true, document.body, { ctrlKey: true });
  expect(done.mock.calls).toEqual([["takeBack"]]);
});

it.each(["ArrowLeft", "+", "-", "n", "Delete"])("does %s again and again", (key) => {
  press(key, false);
  press(key, true);
  expect(done).toHaveBeenCalledTimes(2);
});

it("lets a held Enter click a button no second time", () => {
  const button = place.querySelector("button") as HTMLButtonElement;
  expect(press("Enter", false, button).defaultPrevented).toBe(false);
  expect(press("Enter", true, button).defaultPrevented).toBe(true);
  expect(done).not.toHaveBeenCalled();
});

import { act } from "preact/test-utils";
import { render } from "preact";
import { afterEach, expect, it, vi } from "vitest";

import { Dialog } from "./Dialog";

const place = document.body.appendChild(document.createElement("div"));

afterEach(() => act(() => render(null, place)));

function escape(): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true });
  place.querySelector("dialog")?.dispatchEvent(event);
  return event;
}

it("cannot be left by any number of Escapes where it wants an answer", async () => {
  await act(() => render(<Dialog title="Session ended">sign in</Dialog>, place));
  expect(escape().defaultPrevented).toBe(true);
  expect(escape().defaultPrevented).toBe(true);
});

it("leaves Escape to the browser where it may be closed", async () => {
  await act(() => render(<Dialog title="Help" onClose={vi.fn()}>keys</Dialog>, place));
  expect(escape().defaultPrevented).toBe(false);
});

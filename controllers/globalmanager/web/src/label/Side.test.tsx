import { act } from "preact/test-utils";
import { render } from "preact";
import { afterEach, expect, it, vi } from "vitest";

import { add, opened } from "./annotation";
import { BoxList, ClassList, placeOf } from "./Side";

const place = document.body.appendChild(document.createElement("div"));
afterEach(() => act(() => render(null, place)));

const many = Array.from({ length: 14 }, (_, at) => `class ${String.fromCharCode(97 + at)}`);

async function search(text: string, onChoose = vi.fn(), onFound = vi.fn()): Promise<HTMLInputElement> {
  const list = <ClassList classes={many} kind="boxes" brush={0} label={null} suggestion={null} finding={false} onChoose={onChoose} onFound={onFound} />;
  await act(() => render(list, place));
  const input = place.querySelector("input") as HTMLInputElement;
  input.focus();
  input.value = text;
  await act(() => void input.dispatchEvent(new Event("input", { bubbles: true })));
  return input;
}

it("has the whole list again after Enter, and gives the focus back", async () => {
  const [onChoose, onFound] = [vi.fn(), vi.fn()];
  const input = await search("class e", onChoose, onFound);
  expect(place.querySelectorAll(".class-button")).toHaveLength(1);
  await act(() => void place.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
  expect(onChoose).toHaveBeenCalledWith(4);
  expect(onFound).toHaveBeenCalledOnce();
  expect(place.querySelectorAll(".class-button")).toHaveLength(many.length);
  expect(input.value).toBe("");
  expect(document.activeElement).not.toBe(input);
});

it("does the same by Escape, and chooses nothing", async () => {
  const [onChoose, onFound] = [vi.fn(), vi.fn()];
  const input = await search("class e", onChoose, onFound);
  await act(() => void input.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true })));
  expect(onChoose).not.toHaveBeenCalled();
  expect(onFound).toHaveBeenCalledOnce();
  expect(place.querySelectorAll(".class-button")).toHaveLength(many.length);
});

it("says places and sizes in tenths of a pixel, as a person may read and hear them", async () => {
  const rect = { x1: 80.30000305, y1: 10, x2: 90.69999695, y2: 20.04 };
  const { now } = add(opened({ boxes: [] }, null), rect, 0);
  const mark = now.marks[0];
  expect(mark && placeOf(mark)).toBe("80.3,10 10.4×10");
  const list = <BoxList now={now} selected={null} classes={many} onSelect={vi.fn()} onAccept={vi.fn()} onRemove={vi.fn()} />;
  await act(() => render(list, place));
  expect(place.querySelector(".box-name")?.textContent).toBe("class a10.4×10");
});

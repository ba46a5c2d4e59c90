import { describe, expect, it } from "vitest";

import {
  accept, acceptAll, add, neighbour, opened, pendingOf, redo, refuse, relabel, remove, reopened, reshape, select, setLabel, undo,
  wireOf, type Suggestion,
} from "./annotation";

const box = (x1: number, label = 0) => ({ x1, y1: 0, x2: x1 + 10, y2: 10, label, score: 0.5 });
const suggestion: Suggestion = { source: "model", version: 7, boxes: [box(0), box(20, 1), box(40, 2)], label: null, score: null };

describe("opening", () => {
  it("shows suggestions as pending, which say nothing", () => {
    const work = opened(null, suggestion);
    expect(pendingOf(work.now)).toBe(3);
    expect(wireOf(work.now).boxes).toEqual([]);
    expect(work.past).toEqual([]); // undo never goes behind what was loaded
    expect(undo(work)).toBe(work);
  });
  it("takes a draft alone, also an empty one", () => {
    expect(opened({ boxes: [], label: null }, suggestion).now.marks).toEqual([]);
    const work = opened({ boxes: [box(5, 3)], label: null }, suggestion);
    expect(work.now.marks).toMatchObject([{ x1: 5, label: 3, pending: false, origin: "person" }]);
  });
  it("goes round: boxes of the wire come back as they were", () => {
    const boxes = [box(1, 4), box(30, 2)].map(({ score: _, ...rest }) => rest);
    expect(wireOf(opened({ boxes, label: 5 }, null).now)).toEqual({ boxes, label: 5 });
  });
  it("goes on counting ids where the kept work has ended", () => {
    const work = reopened(opened(null, suggestion).now);
    expect(add(work, box(70), 1).now.marks.map((mark) => mark.id)).toEqual([1, 2, 3, 4]);
  });
});

describe("steps", () => {
  it("adds, selects, undoes and redoes", () => {
    const work = add(opened(null, null), box(0), 2);
    expect(work.selected).toBe(1);
    const back = undo(work);
    expect(back.now.marks).toEqual([]);
    expect(back.selected).toBeNull();
    expect(back.undoes).toBe(1);
    expect(redo(back).now).toBe(work.now);
  });
  it("forgets what was undone once something else is done", () => {
    const work = add(undo(add(opened(null, null), box(0), 0)), box(50), 1);
    expect(redo(work)).toBe(work);
    expect(wireOf(work.now).boxes).toMatchObject([{ x1: 50 }]);
  });
  it("is no step where nothing changes", () => {
    const work = add(opened(null, null), box(0), 0);
    expect(reshape(work, 1, box(0))).toBe(work);
    expect(setLabel(work, null)).toBe(work);
    expect(remove(work, 99)).toBe(work);
    expect(select(work, 1)).toBe(work);
  });
  it("makes a suggested box a person's own by moving or naming it", () => {
    const work = relabel(reshape(opened(null, suggestion), 1, { x1: 3, y1: 3, x2: 9, y2: 9 }), 2, 5);
    expect(pendingOf(work.now)).toBe(1);
    expect(wireOf(work.now).boxes).toEqual([
      { x1: 3, y1: 3, x2: 9, y2: 9, label: 0 },
      { x1: 20, y1: 0, x2: 30, y2: 10, label: 5 },
    ]);
  });
  it("selects the next one after a removal, so that several go in a row", () => {
    let work = select(opened({ boxes: [box(0), box(20), box(40)], label: null }, null), 2);
    work = remove(work, 2);
    expect(work.selected).toBe(3);
    work = remove(work, 3);
    expect(work.selected).toBe(1);
    expect(remove(work, 1).selected).toBeNull();
  });
});

describe("suggestions", () => {
  it("are accepted one by one, going round to those that were left out", () => {
    let work = accept(select(opened(null, suggestion), 2), 2);
    expect(work.selected).toBe(3);
    work = refuse(work, 3);
    expect(work.selected).toBe(1);
    work = accept(work, 1);
    expect(pendingOf(work.now)).toBe(0);
    expect(wireOf(work.now).boxes.map((one) => one.x1)).toEqual([0, 20]);
  });
  it("are accepted all at once, as one step", () => {
    const work = acceptAll(opened(null, suggestion), suggestion);
    expect(wireOf(work.now).boxes).toHaveLength(3);
    expect(work.past).toHaveLength(1);
    expect(acceptAll(work, suggestion)).toBe(work);
  });
  it("of a class take effect only where nobody has chosen one", () => {
    const said: Suggestion = { ...suggestion, boxes: [], label: 4 };
    expect(acceptAll(opened(null, said), said).now.label).toBe(4);
    expect(acceptAll(setLabel(opened(null, said), 2), said).now.label).toBe(2);
  });
});

it("walks the boxes both ways and round", () => {
  let work = opened({ boxes: [box(0), box(20)], label: null }, null);
  work = neighbour(work, -1);
  expect(work.selected).toBe(2);
  expect(neighbour(work, 1).selected).toBe(1);
  expect(neighbour(opened(null, null), 1).selected).toBeNull();
});

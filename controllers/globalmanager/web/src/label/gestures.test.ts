import { describe, expect, it } from "vitest";

import type { Mark } from "./annotation";
import { Gestures, type Press, type Scene } from "./gestures";

const mark = (id: number, x1: number, x2: number): Mark => ({
  id, x1, y1: 10, x2, y2: 40, label: 0, origin: "person", pending: false, score: null,
});
// Two screen pixels are one of the picture.
const scene = (more: Partial<Scene> = {}): Scene => ({
  size: { width: 200, height: 100 },
  stage: { left: 0, top: 0, width: 400, height: 200 },
  view: { x: 0, y: 0, width: 200, height: 100 },
  marks: [mark(1, 10, 60), mark(2, 20, 40)],
  selected: null,
  editable: true,
  ...more,
});
const press = (x: number, y: number, more: Partial<Press> = {}): Press => ({
  pointer: 1, at: { x, y }, button: 0, alt: false, shift: false, handle: null, ...more,
});

describe("one pointer", () => {
  it("draws a box, cut at the edge", () => {
    const hand = new Gestures();
    hand.press(press(300, 100), scene());
    expect(hand.move(1, { x: 900, y: 180 }, scene()).live).toEqual({ id: null, rect: { x1: 150, y1: 50, x2: 200, y2: 90 } });
    expect(hand.release(1, scene())).toEqual({ live: null, draw: { x1: 150, y1: 50, x2: 200, y2: 90 } });
    expect(hand.busy).toBe(false);
  });
  it("selects by a click, the smaller box first, then the one around it", () => {
    const hand = new Gestures();
    hand.press(press(60, 40), scene());
    expect(hand.release(1, scene()).select).toBe(2);
    hand.press(press(60, 40), scene({ selected: 2 }));
    expect(hand.release(1, scene({ selected: 2 })).select).toBe(1);
    hand.press(press(390, 190), scene({ selected: 2 }));
    expect(hand.release(1, scene({ selected: 2 })).select).toBeNull();
  });
  it("moves the selected box, and draws inside of it with Shift", () => {
    const hand = new Gestures();
    const chosen = scene({ selected: 2 });
    hand.press(press(60, 40), chosen);
    hand.move(1, { x: 80, y: 40 }, chosen);
    expect(hand.release(1, chosen).reshape).toEqual({ id: 2, rect: { x1: 30, y1: 10, x2: 50, y2: 40 } });
    hand.press(press(60, 40, { shift: true }), chosen);
    hand.move(1, { x: 70, y: 60 }, chosen);
    expect(hand.release(1, chosen).draw).toEqual({ x1: 30, y1: 20, x2: 35, y2: 30 });
  });
  it("sizes by a handle, by pixels of the picture", () => {
    const hand = new Gestures();
    const chosen = scene({ selected: 2 });
    hand.press(press(80, 50, { handle: "e" }), chosen);
    hand.move(1, { x: 90, y: 10 }, chosen);
    expect(hand.release(1, chosen).reshape).toEqual({ id: 2, rect: { x1: 20, y1: 10, x2: 45, y2: 40 } });
  });
  it.each([{ alt: true }, { button: 1 }])("looks around with %o", (more) => {
    const hand = new Gestures();
    hand.press(press(200, 100, more), scene());
    expect(hand.move(1, { x: 100, y: 100 }, scene()).view).toEqual({ x: 50, y: 0, width: 200, height: 100 });
    expect(hand.release(1, scene())).toEqual({});
  });
  it("draws nothing where boxes are not asked for", () => {
    const hand = new Gestures();
    hand.press(press(200, 100), scene({ editable: false }));
    expect(hand.move(1, { x: 100, y: 100 }, scene({ editable: false })).view).toBeDefined();
  });
});

describe("what is half drawn", () => {
  const begun = () => {
    const hand = new Gestures();
    hand.press(press(300, 100), scene());
    hand.move(1, { x: 340, y: 140 }, scene());
    return hand;
  };
  it("becomes a box when the browser takes the pointer, or the page goes", () => {
    expect(begun().interrupt(scene())).toEqual({ live: null, draw: { x1: 150, y1: 50, x2: 170, y2: 70 } });
  });
  it("is gone by Escape", () => {
    const hand = begun();
    expect(hand.abandon()).toEqual({ live: null });
    expect(hand.release(1, scene())).toEqual({});
  });
});

describe("two fingers", () => {
  it("zoom around their middle and draw nothing", () => {
    const hand = new Gestures();
    hand.press(press(150, 100), scene());
    expect(hand.press(press(250, 100, { pointer: 2 }), scene()).live).toBeNull();
    hand.move(1, { x: 100, y: 100 }, scene());
    const { view } = hand.move(2, { x: 300, y: 100 }, scene());
    expect(view?.width).toBeCloseTo(100);
    expect((view?.x ?? 0) + (view?.width ?? 0) / 2).toBeCloseTo(100);
    expect(hand.release(1, scene())).toEqual({});
    expect(hand.release(2, scene())).toEqual({});
    expect(hand.busy).toBe(false);
  });
});

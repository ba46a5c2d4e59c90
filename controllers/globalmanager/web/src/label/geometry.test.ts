import { describe, expect, it } from "vitest";

import { fitted, grown, hit, middleOf, moved, panned, rectOf, resized, restaged, showing, toPicture, zoomed } from "./geometry";

const size = { width: 640, height: 480 };
const rect = { x1: 10, y1: 20, x2: 50, y2: 60 };

describe("rectOf", () => {
  it("takes corners in any order and rounds to whole pixels", () => {
    expect(rectOf({ x: 50.4, y: 60 }, { x: 9.6, y: 20.2 }, size)).toEqual(rect);
  });
  it("cuts what was dragged past the edge and keeps the rest", () => {
    expect(rectOf({ x: 600, y: 400 }, { x: 9000, y: -50 }, size)).toEqual({ x1: 600, y1: 0, x2: 640, y2: 400 });
  });
  it("is nothing where nothing is left", () => {
    expect(rectOf({ x: 700, y: 10 }, { x: 900, y: 20 }, size)).toBeNull();
    expect(rectOf({ x: 10, y: 10 }, { x: 10.2, y: 90 }, size)).toBeNull();
  });
});

describe("changes of a rectangle", () => {
  it("moves as a whole and stops at the edge with its size", () => {
    expect(moved(rect, -100, 5, size)).toEqual({ x1: 0, y1: 25, x2: 40, y2: 65 });
    expect(moved(rect, 10_000, 10_000, size)).toEqual({ x1: 600, y1: 440, x2: 640, y2: 480 });
  });
  it("sizes by one handle and turns over past the other side", () => {
    expect(resized(rect, "e", 5, 99, size)).toEqual({ ...rect, x2: 55 });
    expect(resized(rect, "nw", -5, -5, size)).toEqual({ ...rect, x1: 5, y1: 15 });
    expect(resized(rect, "w", 60, 0, size)).toEqual({ ...rect, x1: 50, x2: 70 });
  });
  it("keeps its shape where a handle would leave no area", () => {
    expect(resized(rect, "e", -40, 0, size)).toEqual(rect);
  });
  it("grows by keys down to one pixel and up to the edge", () => {
    expect(grown(rect, -1000, 0, size)).toEqual({ ...rect, x2: 11 });
    expect(grown(rect, 0, 1000, size)).toEqual({ ...rect, y2: 480 });
  });
  it("has a box for the middle of any view, also of one beside the picture", () => {
    for (const view of [fitted(size, size), { x: -300, y: -300, width: 20, height: 20 }]) {
      const found = middleOf(view, size);
      expect(found.x2).toBeGreaterThan(found.x1);
      expect(found.x1).toBeGreaterThanOrEqual(0);
      expect(found.y2).toBeLessThanOrEqual(480);
    }
  });
});

describe("hit", () => {
  it("finds the smallest of several, the upper of equals, and none beside them", () => {
    const outer = { x1: 0, y1: 0, x2: 100, y2: 100 };
    expect(hit([rect, outer], { x: 30, y: 30 })).toBe(0);
    expect(hit([outer, outer], { x: 30, y: 30 })).toBe(1);
    expect(hit([rect], { x: 300, y: 30 })).toBe(-1);
    expect(hit([rect], { x: 53, y: 30 }, 4)).toBe(0);
  });
});

describe("views", () => {
  const stage = { width: 800, height: 400 };
  it("shows the whole picture in the shape of the stage", () => {
    const view = fitted(size, stage);
    expect(view.width / view.height).toBeCloseTo(2);
    expect(view.height).toBeGreaterThanOrEqual(480);
    expect(view.x + view.width / 2).toBeCloseTo(320);
  });
  it("zooms with the point under the mouse staying where it is", () => {
    const view = fitted(size, stage);
    const at = { x: 100, y: 100 };
    const near = zoomed(view, at, 2, size, stage);
    expect(near.width).toBeCloseTo(view.width / 2);
    expect((at.x - near.x) / near.width).toBeCloseTo((at.x - view.x) / view.width);
  });
  it("goes no nearer than 8 pixels, and cannot lose the picture", () => {
    const view = zoomed(fitted(size, stage), { x: 1, y: 1 }, 1e9, size, stage);
    expect(view.width).toBe(8);
    const away = panned(view, 1e6, -1e6, size);
    expect(away.x + away.width / 2).toBe(640);
    expect(away.y + away.height / 2).toBe(0);
  });
  it("moves only for a box that is not seen", () => {
    const view = { x: 0, y: 0, width: 100, height: 100 };
    expect(showing(view, rect, size)).toBe(view);
    const moved = showing(view, { x1: 300, y1: 300, x2: 320, y2: 320 }, size);
    expect(moved).toMatchObject({ x: 260, y: 260, width: 100 });
  });
  it("turns places on the screen into pixels of the picture", () => {
    const view = { x: 100, y: 50, width: 200, height: 100 };
    expect(toPicture({ x: 60, y: 30 }, { left: 10, top: 10, width: 100, height: 50 }, view)).toEqual({ x: 200, y: 90 });
  });
});

describe("a stage that changes", () => {
  const wide = { width: 1000, height: 500 };
  const narrow = { width: 600, height: 700 };
  it("keeps the scale and the middle of who is nearer, there and back", () => {
    const near = zoomed(fitted(size, wide), { x: 300, y: 200 }, 4, size, wide);
    const after = restaged(near, wide, narrow, size);
    expect(after.width / narrow.width).toBeCloseTo(near.width / wide.width);
    expect(after.height / narrow.height).toBeCloseTo(near.height / wide.height);
    expect(after.x + after.width / 2).toBeCloseTo(near.x + near.width / 2);
    expect(after.y + after.height / 2).toBeCloseTo(near.y + near.height / 2);
    const back = restaged(after, narrow, wide, size);
    for (const side of ["x", "y", "width", "height"] as const) expect(back[side]).toBeCloseTo(near[side]);
  });
  it("keeps a whole picture whole", () => {
    expect(restaged(fitted(size, wide), wide, narrow, size)).toEqual(fitted(size, narrow));
  });
  it("waits while the stage is not on the screen, and fits when it comes", () => {
    const near = { x: 10, y: 10, width: 100, height: 50 };
    expect(restaged(near, wide, { width: 0, height: 0 }, size)).toBe(near);
    expect(restaged(near, { width: 0, height: 0 }, narrow, size)).toEqual(fitted(size, narrow));
  });
});

// Boxes in pixels of the original picture, and the part of it that is looked at. Pure functions.

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** x2 and y2 are exclusive; whole pixels, inside the picture, at least one pixel in area. */
export interface Rect {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/** The visible part of the picture, as the viewBox of the drawing. */
export interface View {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Handle = "nw" | "n" | "ne" | "e" | "se" | "s" | "sw" | "w";
export const HANDLES: readonly Handle[] = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

/** Shorter drags are clicks. */
export const LEAST_DRAG_PX = 3;

function between(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** From two corners in any order: cut at the picture's edge, on whole pixels; null when nothing is left. */
export function rectOf(a: Point, b: Point, size: Size): Rect | null {
  const x = [a.x, b.x].map((value) => Math.round(between(value, 0, size.width)));
  const y = [a.y, b.y].map((value) => Math.round(between(value, 0, size.height)));
  const rect = { x1: Math.min(...x), y1: Math.min(...y), x2: Math.max(...x), y2: Math.max(...y) };
  return rect.x2 > rect.x1 && rect.y2 > rect.y1 ? rect : null;
}

/** Moved as a whole; it stops at the picture's edge and keeps its size. */
export function moved(rect: Rect, dx: number, dy: number, size: Size): Rect {
  const x = Math.round(between(dx, -rect.x1, size.width - rect.x2));
  const y = Math.round(between(dy, -rect.y1, size.height - rect.y2));
  return { x1: rect.x1 + x, y1: rect.y1 + y, x2: rect.x2 + x, y2: rect.y2 + y };
}

/** One side or corner dragged; past the opposite side the rectangle turns over. */
export function resized(rect: Rect, handle: Handle, dx: number, dy: number, size: Size): Rect {
  const edges = { ...rect };
  if (handle.includes("w")) edges.x1 += dx;
  if (handle.includes("e")) edges.x2 += dx;
  if (handle.includes("n")) edges.y1 += dy;
  if (handle.includes("s")) edges.y2 += dy;
  return rectOf({ x: edges.x1, y: edges.y1 }, { x: edges.x2, y: edges.y2 }, size) ?? rect;
}

/** Right and lower side by keys; it never gets smaller than a pixel or larger than the picture. */
export function grown(rect: Rect, dx: number, dy: number, size: Size): Rect {
  return {
    ...rect,
    x2: between(rect.x2 + dx, rect.x1 + 1, size.width),
    y2: between(rect.y2 + dy, rect.y1 + 1, size.height),
  };
}

/** A new one by key: a fifth of what is seen, in its middle. */
export function middleOf(view: View, size: Size): Rect {
  const seen = {
    x1: between(view.x, 0, size.width - 1),
    y1: between(view.y, 0, size.height - 1),
    x2: between(view.x + view.width, 1, size.width),
    y2: between(view.y + view.height, 1, size.height),
  };
  const half = Math.max(1, Math.round(Math.min(seen.x2 - seen.x1, seen.y2 - seen.y1) / 10));
  const at = { x: (seen.x1 + seen.x2) / 2, y: (seen.y1 + seen.y2) / 2 };
  return rectOf({ x: at.x - half, y: at.y - half }, { x: at.x + half, y: at.y + half }, size) ?? {
    x1: 0, y1: 0, x2: size.width, y2: size.height,
  };
}

export function contains(rect: Rect, point: Point, margin = 0): boolean {
  return (
    point.x >= rect.x1 - margin && point.x <= rect.x2 + margin && point.y >= rect.y1 - margin && point.y <= rect.y2 + margin
  );
}

export function area(rect: Rect): number {
  return (rect.x2 - rect.x1) * (rect.y2 - rect.y1);
}

/** The smallest one under a point, so that a box within a box can be reached; -1 where there is none. */
export function hit(rects: readonly Rect[], point: Point, margin = 0): number {
  let best = -1;
  rects.forEach((rect, at) => {
    if (!contains(rect, point, margin)) return;
    const found = rects[best];
    if (!found || area(rect) <= area(found)) best = at;
  });
  return best;
}

/** The whole picture in a stage of this shape, with a little room around it. */
export function fitted(size: Size, stage: Size): View {
  const room = 1.04;
  const shape = stage.height > 0 ? stage.width / stage.height : 1;
  const width = Math.max(size.width, size.height * shape) * room;
  const height = width / shape;
  return { x: (size.width - width) / 2, y: (size.height - height) / 2, width, height };
}

/** The view after the stage has changed: a whole picture stays whole; who is nearer keeps the scale and the middle. */
export function restaged(view: View, before: Size, after: Size, size: Size): View {
  if (after.width <= 0 || after.height <= 0) return view; // not on the screen just now
  const whole = before.width > 0 ? fitted(size, before) : view;
  if (Math.abs(view.width - whole.width) < 0.01 * whole.width) return fitted(size, after);
  const width = (view.width * after.width) / before.width;
  const height = (width * after.height) / after.width;
  return within({ x: view.x + (view.width - width) / 2, y: view.y + (view.height - height) / 2, width, height }, size);
}

/** Zoomed by a factor (over 1 = nearer), with the point staying where it is. */
export function zoomed(view: View, at: Point, factor: number, size: Size, stage: Size): View {
  const whole = fitted(size, stage);
  const nearest = Math.min(8, whole.width); // no nearer than 8 pixels across
  const width = between(view.width / factor, nearest, whole.width * 1.5);
  const scale = width / view.width;
  return within(
    {
      x: at.x - (at.x - view.x) * scale,
      y: at.y - (at.y - view.y) * scale,
      width,
      height: view.height * scale,
    },
    size,
  );
}

export function panned(view: View, dx: number, dy: number, size: Size): View {
  return within({ ...view, x: view.x + dx, y: view.y + dy }, size);
}

/** The middle of the view stays over the picture: it cannot be lost out of sight. */
function within(view: View, size: Size): View {
  return {
    ...view,
    x: between(view.x, -view.width / 2, size.width - view.width / 2),
    y: between(view.y, -view.height / 2, size.height - view.height / 2),
  };
}

/** Moved as little as needed for a rectangle to be seen. */
export function showing(view: View, rect: Rect, size: Size): View {
  const seen =
    rect.x1 >= view.x && rect.y1 >= view.y && rect.x2 <= view.x + view.width && rect.y2 <= view.y + view.height;
  if (seen) return view;
  return within(
    { ...view, x: (rect.x1 + rect.x2 - view.width) / 2, y: (rect.y1 + rect.y2 - view.height) / 2 },
    size,
  );
}

/** A place on the screen in pixels of the picture. `stage` is the drawing's place on the screen. */
export function toPicture(at: Point, stage: { left: number; top: number; width: number; height: number }, view: View): Point {
  return {
    x: view.x + ((at.x - stage.left) / stage.width) * view.width,
    y: view.y + ((at.y - stage.top) / stage.height) * view.height,
  };
}

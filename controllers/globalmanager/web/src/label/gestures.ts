// What a mouse, a pen or fingers mean on the picture. A machine without a screen: the editor feeds it places.
import {
  hit, LEAST_DRAG_PX, moved, panned, rectOf, resized, toPicture, zoomed,
  type Handle, type Point, type Rect, type Size, type View,
} from "./geometry";
import type { Mark } from "./annotation";

export interface Stage {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Scene {
  size: Size;
  stage: Stage;
  view: View;
  marks: readonly Mark[];
  selected: number | null;
  /** Boxes can be drawn and changed; else one only looks around. */
  editable: boolean;
}

export interface Press {
  pointer: number;
  at: Point;
  button: number;
  /** Alt: look around instead of drawing. Shift: draw, also where a box is selected. */
  alt: boolean;
  shift: boolean;
  handle: Handle | null;
}

/** What is under the fingers now: a new box, or another shape of one. */
export interface Live {
  id: number | null;
  rect: Rect;
}

export interface Outcome {
  view?: View;
  live?: Live | null;
  /** A click: select this box, or none. */
  select?: number | null;
  draw?: Rect;
  reshape?: { id: number; rect: Rect };
}

type Drag =
  | { kind: "draw"; from: Point; screen: Point }
  | { kind: "move"; mark: Mark; from: Point; screen: Point }
  | { kind: "size"; mark: Mark; from: Point; handle: Handle }
  | { kind: "pan"; screen: Point; view: View }
  | { kind: "pinch"; view: View; middle: Point; distance: number };

/** Screen pixels around a box that still count as on it. */
const NEAR_PX = 4;

export class Gestures {
  #drag: Drag | null = null;
  #fingers = new Map<number, Point>();
  #live: Live | null = null;

  get live(): Live | null {
    return this.#live;
  }

  get busy(): boolean {
    return this.#drag !== null;
  }

  press(press: Press, scene: Scene): Outcome {
    this.#fingers.set(press.pointer, press.at);
    if (this.#fingers.size === 2) return this.#pinch(scene);
    if (this.#fingers.size > 2 || press.button > 1) return {};
    if (press.button === 1 || press.alt || !scene.editable) {
      this.#drag = { kind: "pan", screen: press.at, view: scene.view };
      return {};
    }
    const from = toPicture(press.at, scene.stage, scene.view);
    const mark = scene.marks.find((one) => one.id === scene.selected);
    if (mark && press.handle) {
      this.#drag = { kind: "size", mark, from, handle: press.handle };
    } else if (mark && !press.shift && hit([mark], from, this.#near(scene)) === 0) {
      this.#drag = { kind: "move", mark, from, screen: press.at };
    } else {
      this.#drag = { kind: "draw", from, screen: press.at };
    }
    return {};
  }

  move(pointer: number, at: Point, scene: Scene): Outcome {
    if (this.#fingers.has(pointer)) this.#fingers.set(pointer, at);
    const drag = this.#drag;
    if (!drag) return {};
    if (drag.kind === "pinch") return this.#pinched(drag, scene);
    if (drag.kind === "pan") {
      const scale = drag.view.width / scene.stage.width;
      return { view: panned(drag.view, (drag.screen.x - at.x) * scale, (drag.screen.y - at.y) * scale, scene.size) };
    }
    if (drag.kind !== "size" && !this.#live && distance(drag.screen, at) < LEAST_DRAG_PX) return {};
    const to = toPicture(at, scene.stage, scene.view);
    this.#live = liveOf(drag, to, scene.size);
    return { live: this.#live };
  }

  release(pointer: number, scene: Scene): Outcome {
    const at = this.#fingers.get(pointer);
    this.#fingers.delete(pointer);
    const drag = this.#drag;
    if (!drag) return {};
    if (drag.kind === "pinch" || drag.kind === "pan") {
      if (this.#fingers.size === 0) this.#drag = null;
      return {};
    }
    return this.#end(drag, at ?? null, scene);
  }

  /** The browser takes the pointer away, or the page goes: what was drawn so far counts. */
  interrupt(scene: Scene): Outcome {
    this.#fingers.clear();
    const drag = this.#drag;
    if (!drag || drag.kind === "pinch" || drag.kind === "pan") {
      this.#drag = null;
      return {};
    }
    return this.#end(drag, null, scene);
  }

  /** Escape: as if it had not begun. */
  abandon(): Outcome {
    this.#drag = null;
    this.#live = null;
    return { live: null };
  }

  #end(drag: Drag, at: Point | null, scene: Scene): Outcome {
    const live = this.#live;
    this.#drag = null;
    this.#live = null;
    if (!live) {
      if (!at || drag.kind === "size") return { live: null };
      return { live: null, select: clicked(toPicture(at, scene.stage, scene.view), scene, this.#near(scene)) };
    }
    if (live.id === null) return { live: null, draw: live.rect };
    return { live: null, reshape: { id: live.id, rect: live.rect } };
  }

  #pinch(scene: Scene): Outcome {
    const [a, b] = [...this.#fingers.values()];
    if (!a || !b) return {};
    this.#live = null; // the first finger had begun a box
    this.#drag = { kind: "pinch", view: scene.view, middle: middle(a, b), distance: Math.max(1, distance(a, b)) };
    return { live: null };
  }

  #pinched(drag: Extract<Drag, { kind: "pinch" }>, scene: Scene): Outcome {
    const [a, b] = [...this.#fingers.values()];
    if (!a || !b) return {};
    const place = toPicture(drag.middle, scene.stage, drag.view);
    const view = zoomed(drag.view, place, distance(a, b) / drag.distance, scene.size, scene.stage);
    const now = middle(a, b);
    const scale = view.width / scene.stage.width;
    return { view: panned(view, (drag.middle.x - now.x) * scale, (drag.middle.y - now.y) * scale, scene.size) };
  }

  #near(scene: Scene): number {
    return (NEAR_PX * scene.view.width) / Math.max(1, scene.stage.width);
  }
}

function liveOf(drag: Drag, to: Point, size: Size): Live | null {
  if (drag.kind === "draw") {
    const rect = rectOf(drag.from, to, size);
    return rect && { id: null, rect };
  }
  if (drag.kind === "move") {
    return { id: drag.mark.id, rect: moved(drag.mark, to.x - drag.from.x, to.y - drag.from.y, size) };
  }
  if (drag.kind === "size") {
    const rect = resized(drag.mark, drag.handle, to.x - drag.from.x, to.y - drag.from.y, size);
    return { id: drag.mark.id, rect };
  }
  return null;
}

/** A click on the selected box takes the next smaller claim into account: the smallest one that is not selected. */
function clicked(at: Point, scene: Scene, near: number): number | null {
  const others = scene.marks.filter((mark) => mark.id !== scene.selected);
  const found = others[hit(others, at, near)];
  if (found) return found.id;
  const selected = scene.marks.find((mark) => mark.id === scene.selected);
  return selected && hit([selected], at, near) === 0 ? selected.id : null;
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

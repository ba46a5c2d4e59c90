// What is said about a picture while somebody works on it, and every step back. Pure functions.
import type { components } from "../api/schema";
import type { Rect } from "./geometry";

export interface WireBox extends Rect {
  label: number;
  score?: number | null;
}

export interface WireAnnotation {
  boxes: WireBox[];
  label?: number | null;
}

export type Origin = "person" | "model" | "teacher";

/** A box on the picture. A pending one is suggested, and says nothing until it is accepted. */
export interface Mark extends Rect {
  id: number;
  label: number;
  origin: Origin;
  pending: boolean;
  score: number | null;
}

export interface Annotation {
  marks: readonly Mark[];
  /** Of the whole picture, in a job of classes. */
  label: number | null;
}

export type Suggestion = components["schemas"]["Suggestion"];

/** The present, what led to it, and what was undone. Loading a picture is no step. */
export interface Work {
  now: Annotation;
  past: readonly Annotation[];
  future: readonly Annotation[];
  selected: number | null;
  nextId: number;
  undoes: number;
}

const LONGEST_PAST = 200;

/** Work that was left, as this browser kept it: pending boxes are still pending. */
export function reopened(now: Annotation): Work {
  const nextId = now.marks.reduce((most, mark) => Math.max(most, mark.id), 0) + 1;
  return { now, past: [], future: [], selected: null, nextId, undoes: 0 };
}

/** A picture as it is opened: with a draft, that alone counts; else the suggestion, pending. */
export function opened(draft: WireAnnotation | null, suggestion: Suggestion | null): Work {
  const marks: Mark[] = [];
  const boxes = draft ? draft.boxes : (suggestion?.boxes ?? []);
  for (const box of boxes) {
    marks.push({
      id: marks.length + 1,
      x1: box.x1, y1: box.y1, x2: box.x2, y2: box.y2,
      label: box.label,
      origin: draft ? "person" : (suggestion?.source ?? "person"),
      pending: draft === null,
      score: draft ? null : (box.score ?? null),
    });
  }
  return reopened({ marks, label: draft?.label ?? null });
}

/** A step forward; what was undone before it is gone. */
export function step(work: Work, now: Annotation, selected: number | null = work.selected): Work {
  if (now === work.now) return selected === work.selected ? work : { ...work, selected };
  const past = [...work.past, work.now].slice(-LONGEST_PAST);
  return { ...work, now, past, future: [], selected };
}

export function undo(work: Work): Work {
  const before = work.past.at(-1);
  if (!before) return work;
  return {
    ...work,
    now: before,
    past: work.past.slice(0, -1),
    future: [work.now, ...work.future],
    selected: still(before, work.selected),
    undoes: work.undoes + 1,
  };
}

export function redo(work: Work): Work {
  const [after, ...rest] = work.future;
  if (!after) return work;
  return { ...work, now: after, past: [...work.past, work.now], future: rest, selected: still(after, work.selected) };
}

function still(now: Annotation, selected: number | null): number | null {
  return now.marks.some((mark) => mark.id === selected) ? selected : null;
}

export function select(work: Work, id: number | null): Work {
  return id === work.selected ? work : { ...work, selected: id };
}

export function add(work: Work, rect: Rect, label: number): Work {
  const mark: Mark = { ...rect, id: work.nextId, label, origin: "person", pending: false, score: null };
  const now = { ...work.now, marks: [...work.now.marks, mark] };
  return { ...step(work, now, mark.id), nextId: work.nextId + 1 };
}

function changed(work: Work, id: number, change: (mark: Mark) => Mark): Work {
  const marks = work.now.marks.map((mark) => (mark.id === id ? change(mark) : mark));
  return step(work, { ...work.now, marks });
}

/** A suggested box that somebody moves is theirs from then on. */
export function reshape(work: Work, id: number, rect: Rect): Work {
  const old = work.now.marks.find((mark) => mark.id === id);
  if (!old || (old.x1 === rect.x1 && old.y1 === rect.y1 && old.x2 === rect.x2 && old.y2 === rect.y2)) return work;
  return changed(work, id, (mark) => ({ ...mark, ...rect, origin: "person", pending: false, score: null }));
}

export function relabel(work: Work, id: number, label: number): Work {
  return changed(work, id, (mark) => ({ ...mark, label, origin: "person", pending: false, score: null }));
}

/** Removed; the next one in the list is selected, so that several go one after the other. */
export function remove(work: Work, id: number): Work {
  const at = work.now.marks.findIndex((mark) => mark.id === id);
  if (at < 0) return work;
  const marks = work.now.marks.filter((mark) => mark.id !== id);
  return step(work, { ...work.now, marks }, (marks[at] ?? marks[at - 1])?.id ?? null);
}

/** Accepted, and the next suggestion is selected. */
export function accept(work: Work, id: number): Work {
  const done = changed(work, id, (mark) => ({ ...mark, pending: false }));
  return select(done, followingPending(done.now.marks, id) ?? id);
}

/** Refused: gone, and the next suggestion is selected. */
export function refuse(work: Work, id: number): Work {
  const next = followingPending(work.now.marks, id);
  return { ...remove(work, id), selected: next };
}

function followingPending(marks: readonly Mark[], id: number): number | null {
  const at = marks.findIndex((mark) => mark.id === id);
  const order = [...marks.slice(at + 1), ...marks.slice(0, Math.max(at, 0))];
  return order.find((mark) => mark.pending)?.id ?? null;
}

/** All suggested boxes, and the suggested class of a picture that has none. */
export function acceptAll(work: Work, suggestion: Suggestion | null): Work {
  const label = work.now.label ?? suggestion?.label ?? null;
  if (label === work.now.label && pendingOf(work.now) === 0) return work;
  const marks = work.now.marks.map((mark) => (mark.pending ? { ...mark, pending: false } : mark));
  return step(work, { marks, label });
}

export function setLabel(work: Work, label: number | null): Work {
  return label === work.now.label ? work : step(work, { ...work.now, label });
}

export function neighbour(work: Work, by: 1 | -1): Work {
  const { marks } = work.now;
  if (marks.length === 0) return work;
  const at = marks.findIndex((mark) => mark.id === work.selected);
  const next = at < 0 ? (by > 0 ? 0 : marks.length - 1) : (at + by + marks.length) % marks.length;
  return select(work, marks[next]?.id ?? null);
}

export function pendingOf(now: Annotation): number {
  return now.marks.reduce((sum, mark) => sum + (mark.pending ? 1 : 0), 0);
}

/** What is sent. Pending boxes are nobody's statement; a score belongs to predictions, not to labels. */
export function wireOf(now: Annotation): WireAnnotation {
  const boxes = now.marks
    .filter((mark) => !mark.pending)
    .map(({ x1, y1, x2, y2, label }) => ({ x1, y1, x2, y2, label }));
  return { boxes, label: now.label };
}

/** What an answer of a kind says. In a job of either kind both may have been tried on one picture. */
export function statementOf(now: Annotation, kind: "boxes" | "class"): WireAnnotation {
  return kind === "class" ? { boxes: [], label: now.label } : { ...wireOf(now), label: null };
}

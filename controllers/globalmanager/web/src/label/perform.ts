// What a key or a button does, on the desk and the editor.
import {
  accept, acceptAll, add, neighbour, redo, refuse, relabel, remove, reshape, select, setLabel, undo,
  type Mark, type Suggestion, type Work,
} from "./annotation";
import type { Desk } from "./desk";
import type { Cell } from "../lib/cell";
import type { EditorHandle } from "./Editor";
import { grown, middleOf, moved, type Size } from "./geometry";
import type { Action } from "./keys";
import type { Kind } from "./tasks";

/** Where one picture is worked on. */
export interface Board {
  readonly state: Pick<Cell<{ work: Work | null; kind: Kind }>, "get">;
  readonly task: (Size & { suggestion: Suggestion | null }) | null;
  change(how: (work: Work) => Work): void;
}

export interface Hands<Place extends Board = Desk> {
  desk: Place;
  editor: EditorHandle | null;
  brush: number;
  setBrush: (label: number) => void;
  /** Names of classes; none where the job does not know them. */
  classes: readonly string[];
  toggle: (what: "hidden" | "contrast" | "help" | "find") => void;
}

function chosen(work: Work | null): Mark | null {
  return work?.now.marks.find((mark) => mark.id === work.selected) ?? null;
}

/** A class by its number: of the selected box, of the picture, and of the boxes that come. */
export function choose(hands: Hands<Board>, label: number): void {
  const { desk, classes } = hands;
  if (classes.length > 0 && label >= classes.length) return;
  const { kind, work } = desk.state.get();
  if (kind === "class") return desk.change((now) => setLabel(now, now.now.label === label ? null : label));
  hands.setBrush(label);
  const mark = chosen(work);
  if (mark) desk.change((now) => relabel(now, mark.id, label));
}

export function perform(action: Action, hands: Hands): void {
  const { desk } = hands;
  switch (action.do) {
    case "submit": return desk.submit();
    case "skip": return void desk.skip();
    case "nothing": return desk.nothing();
    case "unsure":
    case "bad": return desk.say(action.do);
    case "takeBack": return void desk.takeBack();
    case "next": return desk.go(1);
    case "previous": return desk.go(-1);
    case "unselect":
      desk.unask();
      return alter(action, hands);
    default: return alter(action, hands);
  }
}

/** What changes the picture's boxes and class, or how it is looked at; the rest needs a desk. */
export function alter(action: Action, hands: Hands<Board>): void {
  const { desk, editor } = hands;
  const { work } = desk.state.get();
  const mark = chosen(work);
  const size = desk.task;
  switch (action.do) {
    case "undo": return desk.change(undo);
    case "redo": return desk.change(redo);
    case "class": return choose(hands, action.index);
    case "acceptAll": return desk.change((now) => acceptAll(now, size?.suggestion ?? null));
    case "accept": return mark?.pending ? desk.change((now) => accept(now, mark.id)) : toPending(hands);
    case "refuse": return mark?.pending ? desk.change((now) => refuse(now, mark.id)) : toPending(hands);
    case "delete": return mark ? desk.change((now) => remove(now, mark.id)) : undefined;
    case "nextBox": return go(hands, 1);
    case "previousBox": return go(hands, -1);
    case "unselect": return escape(hands);
    case "zoomIn": return editor?.zoom(1.4);
    case "zoomOut": return editor?.zoom(1 / 1.4);
    case "fit": return editor?.fit();
    case "hide": return hands.toggle("hidden");
    case "contrast":
    case "help":
    case "find": return hands.toggle(action.do);
    case "draw":
      if (!size || !editor || desk.state.get().kind !== "boxes") return;
      return desk.change((now) => add(now, middleOf(editor.view(), size), hands.brush));
    case "move":
      if (!mark || !size) return;
      return desk.change((now) => reshape(now, mark.id, moved(mark, action.dx, action.dy, size)));
    case "size":
      if (!mark || !size) return;
      return desk.change((now) => reshape(now, mark.id, grown(mark, action.dx, action.dy, size)));
  }
}

/** Y with nothing chosen goes to the first suggestion; the next Y takes it. */
function toPending({ desk, editor }: Hands<Board>): void {
  const pending = desk.state.get().work?.now.marks.find((mark) => mark.pending);
  if (!pending) return;
  desk.change((now) => select(now, pending.id));
  editor?.show(pending);
}

function go({ desk, editor }: Hands<Board>, by: 1 | -1): void {
  desk.change((now) => neighbour(now, by));
  const mark = chosen(desk.state.get().work);
  if (mark) editor?.show(mark);
}

function escape({ desk, editor }: Hands<Board>): void {
  if (editor?.abandon()) return;
  desk.change((now) => select(now, null));
}

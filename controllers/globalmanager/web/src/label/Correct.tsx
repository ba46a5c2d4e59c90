// A label that somebody puts right in a review: the picture with its boxes, in place.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import { cell, useCell } from "../lib/cell";
import { Button } from "../ui/parts";
import { useWords } from "../words";
import { add, opened, remove, reshape, select, statementOf, type WireAnnotation } from "./annotation";
import { Editor, type EditorHandle } from "./Editor";
import type { Size } from "./geometry";
import type { Action } from "./keys";
import { className, NUMBERS } from "./palette";
import { alter, choose, type Board, type Hands } from "./perform";
import { BoxList, ClassList } from "./Side";
import type { Kind } from "./tasks";
import { useKeys } from "./useKeys";
import { mayDo, type Failure } from "./usePicture";

interface Props {
  url: string;
  size: Size;
  /** Where it begins. */
  start: WireAnnotation | null;
  /** None: nobody has said yet whether it is boxes or a class. */
  kind: Kind | null;
  names: readonly string[];
  busy: boolean;
  onSave: (annotation: WireAnnotation) => void;
  onCancel: () => void;
}

/** What an annotation is: boxes, or a class of the whole picture. */
export function kindOf(annotation: WireAnnotation | null | undefined): Kind | null {
  if (!annotation) return null;
  return annotation.label !== null && annotation.label !== undefined && annotation.boxes.length === 0 ? "class" : "boxes";
}

const EMPTY: WireAnnotation = { boxes: [], label: null };

export function Correct({ url, size, start, kind: known, names, busy, onSave, onCancel }: Props) {
  const t = useWords();
  const source = useMemo(() => cell(opened(start ?? EMPTY, null)), []);
  const work = useCell(source);
  const [kind, setKind] = useState<Kind>(known ?? "boxes");
  const [brush, setBrush] = useState(0);
  const [hidden, setHidden] = useState(false);
  const [contrast, setContrast] = useState(0);
  const [failure, setFailure] = useState<Failure | null>(null);
  const editor = useRef<EditorHandle | null>(null);
  const classes = names.length > 0 ? names : NUMBERS;
  const word = useMemo(() => (label: number) => className(classes, label), [classes]);
  const said = kind === "boxes" || work.now.label !== null;
  const ready = said && !busy && mayDo("submit", failure);
  const save = () => {
    editor.current?.interrupt(); // a box that is half drawn counts
    if (ready) onSave(statementOf(source.get().now, kind));
  };

  const board: Board = {
    state: { get: () => ({ work: source.get(), kind }) },
    task: { ...size, suggestion: null },
    change: (how) => source.set(how(source.get())),
  };
  const toggle = (what: "hidden" | "contrast" | "help" | "find") => {
    if (what === "hidden") setHidden(!hidden);
    if (what === "contrast") setContrast((contrast + 1) % 4);
  };
  const hands: Hands<Board> = { desk: board, editor: editor.current, brush, setBrush, classes: names, toggle };
  const latest = useRef({ hands, save });
  latest.current = { hands, save };
  const act = useCallback((action: Action) => {
    const now = latest.current;
    if (action.do === "submit") now.save();
    else alter(action, { ...now.hands, editor: editor.current });
  }, []);
  useKeys(act, useCallback(() => source.get().selected !== null, [source]));
  const onReady = useCallback((handle: EditorHandle) => (editor.current = handle), []);
  useEffect(() => editor.current?.focus(), []);
  const selected = work.now.marks.find((mark) => mark.id === work.selected);

  return (
    <>
      <div class="bench-body correct">
        <Editor
          url={url} size={size} marks={work.now.marks} selected={work.selected} editable={kind === "boxes"}
          hidden={hidden} contrast={contrast} names={word} brush={brush}
          onSelect={(id) => board.change((now) => select(now, id))}
          onDraw={(rect) => board.change((now) => add(now, rect, brush))}
          onReshape={(id, rect) => board.change((now) => reshape(now, id, rect))}
          onReady={onReady}
          onPicture={setFailure}
        />
        <aside class="side">
          <ClassList
            classes={classes} kind={kind} brush={selected?.label ?? brush} label={work.now.label} suggestion={null} finding={false}
            onChoose={(label) => choose({ ...hands, editor: editor.current }, label)}
            onFound={() => editor.current?.focus()}
          />
          {kind === "boxes" && (
            <BoxList
              now={work.now} selected={work.selected} classes={classes}
              onSelect={(id) => board.change((now) => select(now, id))}
              onAccept={() => undefined /* nothing is suggested here */}
              onRemove={(id) => board.change((now) => remove(now, id))}
            />
          )}
        </aside>
      </div>
      <div class="review-foot">
        {known === null && (
          <select
            class="select small"
            aria-label={t("label.kind")}
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value === "class" ? "class" : "boxes")}
          >
            <option value="boxes">{t("label.kind.boxes")}</option>
            <option value="class">{t("label.kind.class")}</option>
          </select>
        )}
        <span class="push" />
        <Button look="quiet" disabled={busy} onClick={onCancel}>{t("cancel")}</Button>
        <Button look="primary" disabled={!ready} onClick={save}>{t("review.save")} <kbd>↵</kbd></Button>
      </div>
    </>
  );
}

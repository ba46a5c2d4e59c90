// The labelling view: picture, keys, classes, boxes; what is said goes to the desk.
import { useLocation } from "preact-iso";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import { drawingUrl, jobPage } from "../api/job";
import { useCell } from "../lib/cell";
import { ago } from "../lib/format";
import { useTitle } from "../lib/title";
import { accept, add, refuse, remove, reshape, select } from "../label/annotation";
import { Editor, type EditorHandle } from "../label/Editor";
import { Help } from "../label/Help";
import type { Action } from "../label/keys";
import { className, NUMBERS } from "../label/palette";
import { choose, perform, type Hands } from "../label/perform";
import { BoxList, ClassList, placeOf } from "../label/Side";
import { Trouble } from "../label/Trouble";
import { useDesk, type OpenDesk } from "../label/useDesk";
import { useKeys } from "../label/useKeys";
import { mayDo, type Failure } from "../label/usePicture";
import { Buttons, LabelHead } from "../label/Bars";
import "../styles/label.css";
import { useJob } from "../ui/JobFrame";
import { Bones, Button, Empty, ErrorNotice } from "../ui/parts";
import { useWords } from "../words";

const CONTRASTS = 4;

export function Label() {
  const t = useWords();
  const job = useJob();
  useTitle(`${t("tab.label")} ${job.name}`);
  const { query } = useLocation();
  const { open, error, retry } = useDesk(job, query.sample);
  if (error !== undefined) {
    return (
      <main id="main" class="page stack">
        <ErrorNotice error={error} retry={retry} />
        {query.sample && <p><a class="button" href={jobPage(job, "label")}>{t("label.others")}</a></p>}
      </main>
    );
  }
  if (!open) return <main id="main" class="page"><Bones rows={1} height={480} /></main>;
  return <Bench open={open} />;
}

function Bench({ open }: { open: OpenDesk }) {
  const t = useWords();
  const { desk } = open;
  const state = useCell(desk.state);
  const entries = useCell(open.entries);
  const known = state.classNames;
  const classes = known.length > 0 ? known : NUMBERS;
  const [brush, setBrush] = useState(0);
  const [hidden, setHidden] = useState(false);
  const [contrast, setContrast] = useState(0);
  const [help, setHelp] = useState(false);
  const [finding, setFinding] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const editor = useRef<EditorHandle | null>(null);
  const task = state.tasks[state.at] ?? null;
  const { work } = state;

  const toggle = useCallback((what: "hidden" | "contrast" | "help" | "find") => {
    if (what === "hidden") setHidden((now) => !now);
    else if (what === "contrast") setContrast((now) => (now + 1) % CONTRASTS);
    else if (what === "help") setHelp(true);
    else setFinding(true);
  }, []);
  const hands: Hands = { desk, editor: editor.current, brush, setBrush, classes: known, toggle };
  const latest = useRef({ hands, failure });
  latest.current = { hands, failure };
  const act = useCallback((action: Action) => {
    const { hands: now, failure: unseen } = latest.current;
    if (mayDo(action.do, unseen)) perform(action, { ...now, editor: editor.current });
  }, []);
  const names = useMemo(() => (label: number) => className(classes, label), [classes]);
  const ready = useCallback((handle: EditorHandle) => {
    editor.current = handle;
    desk.finish = () => handle.interrupt();
    handle.focus();
  }, [desk]);

  useKeys(act, useCallback(() => typeof desk.state.get().work?.selected === "number", [desk]));
  useEffect(() => {
    if (!help && !finding) editor.current?.focus();
  }, [task?.sample_id, help, finding]);
  /** After a click the picture has the focus again, so that letters work; by keyboard it stays where it is. */
  const back = (event: MouseEvent) => {
    const target = event.target as Element;
    if (event.detail > 0 && target.closest("button")) editor.current?.focus();
  };
  const selected = work?.now.marks.find((mark) => mark.id === work.selected);

  return (
    <main id="main" class="bench" onClick={back}>
      <LabelHead desk={desk} state={state} onHelp={() => setHelp(true)} />
      <Trouble open={open} entries={entries} classes={classes} />
      {task && work ? (
        <div class="bench-body">
          <Editor
            key={task.sample_id}
            url={drawingUrl(desk.job, task.sample_id)}
            size={task}
            marks={work.now.marks}
            selected={work.selected}
            editable={state.kind === "boxes"}
            hidden={hidden}
            contrast={contrast}
            names={names}
            brush={brush}
            onSelect={(id) => desk.change((now) => select(now, id))}
            onDraw={(rect) => desk.change((now) => add(now, rect, brush))}
            onReshape={(id, rect) => desk.change((now) => reshape(now, id, rect))}
            onReady={ready}
            onPicture={setFailure}
          >
            <Buttons act={act} state={state} failure={failure} contrast={contrast} hidden={hidden} />
          </Editor>
          <aside class="side">
            <ClassList
              classes={classes}
              kind={state.kind}
              brush={selected?.label ?? brush}
              label={work.now.label}
              suggestion={task.suggestion}
              finding={finding}
              onChoose={(label) => choose({ ...hands, editor: editor.current }, label)}
              onFound={() => {
                setFinding(false);
                editor.current?.focus();
              }}
            />
            {state.kind === "boxes" && (
              <BoxList
                now={work.now}
                selected={work.selected}
                classes={classes}
                onSelect={(id) => desk.change((now) => select(now, id))}
                onAccept={(id) => desk.change((now) => accept(now, id))}
                onRemove={(id) => desk.change((now) => (now.now.marks.find((m) => m.id === id)?.pending ? refuse(now, id) : remove(now, id)))}
              />
            )}
          </aside>
        </div>
      ) : (
        <NothingLeft open={open} />
      )}
      <p id="label-spoken" class="unseen" aria-live="polite">
        {selected ? t("label.spoken", { name: names(selected.label), place: placeOf(selected) }) : ""}
      </p>
      {help && <Help onClose={() => setHelp(false)} />}
    </main>
  );
}

function NothingLeft({ open }: { open: OpenDesk }) {
  const t = useWords();
  const state = useCell(open.desk.state);
  if (state.loading || state.tasks.length > 0) return <div class="bench-body"><Bones rows={1} height={480} /></div>;
  if (state.error !== undefined) {
    return <div class="bench-note"><ErrorNotice error={state.error} retry={() => void open.desk.refill()} /></div>;
  }
  return (
    <div class="bench-note card">
      <Empty icon="check" title={state.withOthers > 0 ? t("empty.others", { n: state.withOthers }) : t("empty.none")}>
        {state.nextFreeAt && <p>{t("empty.free", { when: ago(state.nextFreeAt) })}</p>}
        {state.done > 0 && <p>{t("empty.done", { n: state.done })}</p>}
        <div class="row">
          <Button icon="redo" onClick={() => void open.desk.refill()}>{t("empty.again")}</Button>
          {state.canTakeBack && <Button icon="undo" onClick={() => void open.desk.takeBack()}>{t("key.takeBack")}</Button>}
          <a class="button" href={jobPage(open.desk.job)}>{t("empty.job")}</a>
        </div>
      </Empty>
    </div>
  );
}

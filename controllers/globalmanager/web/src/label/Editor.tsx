// The picture with its boxes: draws, and tells what a person did. What that means is the desk's.
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { useWords } from "../words";
import type { Mark } from "./annotation";
import { BoxLayer, BoxShape, Tag } from "./Boxes";
import { fitted, HANDLES, restaged, showing, toPicture, zoomed, type Handle, type Rect, type Size, type View } from "./geometry";
import { Gestures, type Outcome, type Scene } from "./gestures";
import { colourOf } from "./palette";
import { PictureNote } from "./PictureNote";
import { usePicture, type Failure } from "./usePicture";

export interface EditorHandle {
  zoom(factor: number): void;
  fit(): void;
  view(): View;
  show(rect: Rect): void;
  focus(): void;
  /** Escape while something is being drawn; false: nothing was. */
  abandon(): boolean;
  /** The page goes away: what is half drawn counts. */
  interrupt(): void;
}

interface Props {
  url: string;
  size: Size;
  marks: readonly Mark[];
  selected: number | null;
  editable: boolean;
  hidden: boolean;
  contrast: number;
  names: (label: number) => string;
  /** The class that a new box gets. */
  brush: number;
  onSelect: (id: number | null) => void;
  onDraw: (rect: Rect) => void;
  onReshape: (id: number, rect: Rect) => void;
  onReady?: (handle: EditorHandle) => void;
  /** Whether the picture is there; no answer is given to one that nobody sees. */
  onPicture?: (failure: Failure | null) => void;
  children?: ComponentChildren;
}

const ZERO = { left: 0, top: 0, width: 1, height: 1 };

export function Editor(props: Props) {
  const { url, size, marks, selected, hidden, contrast, names } = props;
  const t = useWords();
  const picture = usePicture(url, props.onPicture);
  const svg = useRef<SVGSVGElement>(null);
  const gestures = useRef(new Gestures());
  const [view, setView] = useState<View>({ x: 0, y: 0, width: size.width, height: size.height });
  const [live, setLive] = useState<Rect | null>(null);
  const [stageWidth, setStageWidth] = useState(1);
  const now = useRef({ props, view });
  now.current = { props, view };

  const scene = useCallback((): Scene => {
    const { props: latest, view: seen } = now.current;
    const stage = svg.current?.getBoundingClientRect() ?? ZERO;
    return {
      size: latest.size, stage, view: seen, marks: latest.hidden ? [] : latest.marks,
      selected: latest.selected, editable: latest.editable,
    };
  }, []);

  const look = useCallback((next: View) => {
    now.current.view = next; // two wheel events may come before the next drawing
    setView(next);
  }, []);

  const apply = useCallback(
    (outcome: Outcome) => {
      const { props: latest } = now.current;
      if (outcome.view) look(outcome.view);
      if (outcome.live !== undefined) setLive(outcome.live?.rect ?? null);
      if (outcome.select !== undefined) latest.onSelect(outcome.select);
      if (outcome.draw) latest.onDraw(outcome.draw);
      if (outcome.reshape) latest.onReshape(outcome.reshape.id, outcome.reshape.rect);
    },
    [look],
  );

  const fit = useCallback(() => {
    const { size: whole, stage } = scene();
    look(fitted(whole, { width: stage.width, height: stage.height }));
  }, [look, scene]);

  const restage = useCallback(
    (before: Size, after: Size) => look(restaged(now.current.view, before, after, now.current.props.size)),
    [look],
  );

  useStage(svg, { fit, restage }, url, size, setStageWidth);
  useWheel(svg, scene, look);
  useHandle(props.onReady, { svg, gestures, scene, look, fit, apply });

  const scale = stageWidth / view.width;
  const layer = useMemo(
    () => <BoxLayer marks={marks} without={selected} names={names} scale={scale} />,
    [marks, selected, names, scale],
  );
  const chosen = marks.find((mark) => mark.id === selected);
  const drawn = live && gestures.current.live;

  return (
    <div class="stage">
      <svg
        ref={svg}
        class="canvas"
        role="application"
        tabindex={0}
        aria-label={t("label.picture", { n: marks.length })}
        aria-describedby="label-spoken"
        viewBox={`${view.x} ${view.y} ${view.width} ${view.height}`}
        preserveAspectRatio="none"
        onPointerDown={(event) => {
          const handle = (event.target as Element).getAttribute("data-handle") as Handle | null;
          svg.current?.focus({ preventScroll: true });
          svg.current?.setPointerCapture(event.pointerId);
          if (event.button === 1) event.preventDefault();
          const at = { x: event.clientX, y: event.clientY };
          const press = { pointer: event.pointerId, at, button: event.button, alt: event.altKey, shift: event.shiftKey, handle };
          apply(gestures.current.press(press, scene()));
        }}
        onPointerMove={(event) =>
          gestures.current.busy &&
          apply(gestures.current.move(event.pointerId, { x: event.clientX, y: event.clientY }, scene()))
        }
        onPointerUp={(event) => apply(gestures.current.release(event.pointerId, scene()))}
        onPointerCancel={() => apply(gestures.current.interrupt(scene()))}
        onContextMenu={(event) => event.preventDefault()}
      >
        <image
          key={picture.turn}
          class={`contrast-${contrast}${scale > 3 ? " crisp" : ""}`}
          href={url}
          width={size.width}
          height={size.height}
          preserveAspectRatio="none"
          onError={picture.onError}
        />
        {!hidden && layer}
        {!hidden && chosen && <Selected mark={drawn?.id === chosen.id ? { ...chosen, ...drawn.rect } : chosen} scale={scale} names={names} />}
        {drawn && drawn.id === null && <BoxShape mark={{ ...drawn.rect, label: props.brush }} bold />}
      </svg>
      <PictureNote picture={picture} />
      {props.children}
    </div>
  );
}

function Selected({ mark, scale, names }: { mark: Mark; scale: number; names: (label: number) => string }) {
  const x = { w: mark.x1, e: mark.x2, "": (mark.x1 + mark.x2) / 2 };
  const y = { n: mark.y1, s: mark.y2, "": (mark.y1 + mark.y2) / 2 };
  const small = (mark.x2 - mark.x1) * scale < 40 || (mark.y2 - mark.y1) * scale < 40;
  const shown = HANDLES.filter((handle) => !small || handle.length === 2); // corners alone, on small boxes
  const place = (handle: Handle) => ({
    cx: x[handle.includes("w") ? "w" : handle.includes("e") ? "e" : ""],
    cy: y[handle.includes("n") ? "n" : handle.includes("s") ? "s" : ""],
  });
  return (
    <g class="selected">
      <rect
        class="fill"
        x={mark.x1} y={mark.y1} width={mark.x2 - mark.x1} height={mark.y2 - mark.y1}
        fill={colourOf(mark.label)}
      />
      <BoxShape mark={mark} bold />
      <Tag rect={mark} text={names(mark.label)} label={mark.label} scale={scale} />
      {shown.map((handle) => (
        <g key={handle}>
          <circle class="knob" {...place(handle)} r={5 / scale} fill={colourOf(mark.label)} />
          <circle class={`grip ${handle}`} data-handle={handle} {...place(handle)} r={12 / scale} />
        </g>
      ))}
    </g>
  );
}

/** The whole picture at first; a stage that changes takes nobody's zoom away. */
function useStage(
  svg: { current: SVGSVGElement | null },
  { fit, restage }: { fit: () => void; restage: (before: Size, after: Size) => void },
  url: string,
  size: Size,
  onWidth: (width: number) => void,
): void {
  useLayoutEffect(() => {
    const element = svg.current;
    if (!element) return;
    const measure = (): Size => {
      const { width, height } = element.getBoundingClientRect();
      onWidth(Math.max(1, width));
      return { width, height };
    };
    let stage = measure();
    fit();
    const observer = new ResizeObserver(() => {
      const before = stage;
      stage = measure();
      restage(before, stage);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [svg, fit, restage, url, size.width, size.height, onWidth]);
}

/** Not by JSX: a wheel listener has to say that it is not passive. */
function useWheel(svg: { current: SVGSVGElement | null }, scene: () => Scene, look: (view: View) => void): void {
  useEffect(() => {
    const element = svg.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { stage, view, size } = scene();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015));
      const at = toPicture({ x: event.clientX, y: event.clientY }, stage, view);
      look(zoomed(view, at, factor, size, stage));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [svg, scene, look]);
}

interface Inside {
  svg: { current: SVGSVGElement | null };
  gestures: { current: Gestures };
  scene: () => Scene;
  look: (view: View) => void;
  fit: () => void;
  apply: (outcome: Outcome) => void;
}

function useHandle(onReady: Props["onReady"], inside: Inside): void {
  const { svg, gestures, scene, look, fit, apply } = inside;
  useEffect(() => {
    onReady?.({
      fit,
      view: () => scene().view,
      zoom(factor) {
        const { view, size, stage } = scene();
        look(zoomed(view, { x: view.x + view.width / 2, y: view.y + view.height / 2 }, factor, size, stage));
      },
      show(rect) {
        const { view, size } = scene();
        look(showing(view, rect, size));
      },
      focus: () => svg.current?.focus({ preventScroll: true }),
      abandon() {
        if (!gestures.current.busy) return false;
        apply(gestures.current.abandon());
        return true;
      },
      interrupt: () => apply(gestures.current.interrupt(scene())),
    });
  }, [onReady, svg, gestures, scene, look, fit, apply]);
}

// The metric over rounds, with the interval of each candidate. uPlot comes with this file, not with the page.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { useCell } from "../lib/cell";
import { theme } from "../lib/settings";
import { useWords } from "../words";
import { figure } from "../lib/format";
import type { CurvePoint } from "./figures";

/** A canvas knows no custom properties: the browser resolves them for an element, once a drawing. */
function colours(place: HTMLElement): (name: string) => string {
  return (name) => {
    place.style.color = `var(--${name})`;
    const found = getComputedStyle(place).color;
    place.style.color = "";
    return found;
  };
}

const HEIGHT = 240;

export function Curve({ points, metric }: { points: readonly CurvePoint[]; metric: string }) {
  const t = useWords();
  const look = useCell(theme);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element || points.length === 0) return;
    const draw = () => {
      const plot = plotOf(element, points, { candidate: t("curve.candidate"), served: t("curve.served"), round: t("curve.round") });
      return plot;
    };
    let plot = draw();
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const again = () => {
      plot.destroy();
      plot = draw();
    };
    dark.addEventListener("change", again);
    return () => {
      dark.removeEventListener("change", again);
      observer.disconnect();
      plot.destroy();
    };
  }, [points, look, t]);
  const last = points.at(-1);
  const label = t("curve.read", { metric, n: points.length, value: figure(last?.served) });
  return <div ref={place} class="curve-place" role="img" aria-label={label} />;
}

/** A whisker for each candidate: where its value lies, by the interval of the difference. */
function drawIntervals(plot: uPlot, points: readonly CurvePoint[], colour: string): void {
  const { ctx } = plot;
  const half = 4 * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.globalAlpha = 0.7;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.beginPath();
  for (const { round, low, high } of points) {
    if (low === null || high === null) continue;
    const x = plot.valToPos(round, "x", true);
    const [bottom, top] = [plot.valToPos(low, "y", true), plot.valToPos(high, "y", true)];
    ctx.moveTo(x, bottom);
    ctx.lineTo(x, top);
    for (const y of [bottom, top]) {
      ctx.moveTo(x - half, y);
      ctx.lineTo(x + half, y);
    }
  }
  ctx.stroke();
  ctx.restore();
}

function plotOf(element: HTMLElement, points: readonly CurvePoint[], words: Record<"candidate" | "served" | "round", string>): uPlot {
  const colour = colours(element);
  const ink = colour("ink-soft");
  const line = colour("line");
  const accent = colour("accent");
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const values = points.flatMap((p) => [p.candidate, p.low, p.high, p.served]).filter((v): v is number => v !== null);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max(0.02, (high - low) * 0.12);
  const data: uPlot.AlignedData = [
    points.map((p) => p.round),
    points.map((p) => p.served),
    points.map((p) => p.candidate),
  ];
  const options: uPlot.Options = {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    cursor: { y: false },
    scales: { x: { time: false, range: (_, a, b) => [a - 0.5, b + 0.5] }, y: { range: [low - room, high + room] } },
    axes: [
      {
        ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 500], label: words.round, labelFont: font, labelSize: 18,
        values: (_, ticks) => ticks.map((tick) => (tick >= 1 ? String(tick) : "")),
      },
      { ...axis, size: 52 },
    ],
    legend: { live: true },
    series: [
      { label: words.round },
      { label: words.served, stroke: accent, width: 2, points: { show: points.length < 30, size: 6, fill: accent } },
      { label: words.candidate, stroke: ink, width: 0, points: { show: true, size: 8, fill: ink } },
    ],
    hooks: { draw: [(plot) => drawIntervals(plot, points, ink)] },
  };
  return new uPlot(options, data, element);
}

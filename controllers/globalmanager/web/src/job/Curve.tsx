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

function plotOf(element: HTMLElement, points: readonly CurvePoint[], words: Record<"candidate" | "served" | "round", string>): uPlot {
  const colour = colours(element);
  const [ink, line, accent, faint] = ["ink-soft", "line", "accent", "ink-faint"].map(colour) as [string, string, string, string];
  const band = colour("accent-soft");
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const values = points.flatMap((p) => [p.candidate, p.low, p.high, p.served]).filter((v): v is number => v !== null);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = Math.max(0.02, (high - low) * 0.12);
  const data: uPlot.AlignedData = [
    points.map((p) => p.round),
    points.map((p) => p.low),
    points.map((p) => p.high),
    points.map((p) => p.served),
    points.map((p) => p.candidate),
  ];
  const options: uPlot.Options = {
    width: Math.max(200, element.clientWidth),
    height: HEIGHT,
    cursor: { y: false },
    scales: { x: { time: false, range: (_, a, b) => [a - 0.5, b + 0.5] }, y: { range: [low - room, high + room] } },
    axes: [
      { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 500], label: words.round, labelFont: font, labelSize: 18 },
      { ...axis, size: 52 },
    ],
    legend: { live: true },
    series: [
      { label: words.round },
      { label: "low", width: 0, points: { show: points.length < 3, size: 4, fill: faint, stroke: faint }, stroke: faint },
      { label: "high", width: 0, points: { show: points.length < 3, size: 4, fill: faint, stroke: faint }, stroke: faint },
      { label: words.served, stroke: accent, width: 2, points: { show: false } },
      { label: words.candidate, stroke: ink, width: 0, points: { show: true, size: 7, fill: ink } },
    ],
    bands: [{ series: [2, 1], fill: band }],
  };
  return new uPlot(options, data, element);
}

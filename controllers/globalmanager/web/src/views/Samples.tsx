// Thumbnails of all samples of a job, with filters that stand in the address.
import { useLocation } from "preact-iso";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { jobPage, thumbnailUrl, type JobName } from "../api/job";
import { listSamples, readJob } from "../api/reads";
import type { SampleRow } from "../api/types";
import { cx } from "../lib/classes";
import { dayOf, edgeOf } from "../lib/days";
import { count, shortId } from "../lib/format";
import { usePages } from "../lib/pages";
import { useQuery } from "../lib/query";
import { useRows } from "../lib/rows";
import { useTitle } from "../lib/title";
import { className } from "../label/palette";
import "../styles/samples.css";
import { JobFrame, useJob } from "../ui/JobFrame";
import { Bones, Button, Empty, ErrorNotice } from "../ui/parts";
import { useWords, type Word } from "../words";

const FILTERS = [
  "picked", "label_state", "class", "miner", "edge", "round", "part", "min_score", "max_score", "since", "until", "wrong",
  "excluded", "problem",
] as const;
type Filter = (typeof FILTERS)[number];

const CHOICES: Partial<Record<Filter, readonly string[]>> = {
  picked: ["hard", "audit", "import"],
  label_state: ["waiting", "settled", "review", "bad"],
  part: ["train", "eval", "holdout"],
};

export function filterOf(query: Record<string, string>): Record<string, string> {
  const filter: Record<string, string> = {};
  for (const name of FILTERS) if (query[name]) filter[name] = query[name];
  return filter;
}

export function Samples() {
  const t = useWords();
  const job = useJob();
  useTitle(`${t("tab.samples")} ${job.name}`);
  const { query, route } = useLocation();
  const filter = filterOf(query as Record<string, string>);
  const change = (name: Filter, value: string) => {
    const next = new URLSearchParams({ ...filter, [name]: value });
    if (!value) next.delete(name);
    route(`${jobPage(job, "samples")}${next.size ? `?${next}` : ""}`, true);
  };
  const key = `${jobPage(job)}?${new URLSearchParams(filter)}`;
  const pages = usePages(key, (cursor, signal) => listSamples(job, filter, cursor, signal));
  const read = useQuery(`job ${jobPage(job)}`, (signal) => readJob(job, signal));
  const names = read.data?.class_names ?? [];
  return (
    <JobFrame job={job}>
      <Filters filter={filter} classes={names} change={change} clear={() => route(jobPage(job, "samples"), true)} />
      <div class="row small soft numbers" role="status">
        {pages.total !== null && t("samples.total", { n: count(pages.total) })}
        <span class="push" />
        <Button small look="quiet" icon="redo" onClick={pages.reload}>{t("samples.reload")}</Button>
      </div>
      {pages.error !== undefined && <ErrorNotice error={pages.error} retry={pages.reload} />}
      {pages.items.length === 0 && !pages.loading && pages.error === undefined && (
        <div class="card"><Empty title={Object.keys(filter).length ? t("samples.noneSo") : t("samples.none")} /></div>
      )}
      {pages.items.length === 0 && pages.loading && <Bones rows={3} height={180} />}
      {pages.items.length > 0 && <Grid key={key} job={job} items={pages.items} names={names} more={pages.more} />}
    </JobFrame>
  );
}

interface FilterProps {
  filter: Record<string, string>;
  classes: readonly string[];
  change: (name: Filter, value: string) => void;
  clear: () => void;
}

function Filters({ filter, classes, change, clear }: FilterProps) {
  const t = useWords();
  const label = (name: Filter) => t(`filter.${name}` as Word);
  const choice = (name: Filter, values: readonly (readonly [string, string])[]) => (
    <select class="select small" aria-label={label(name)} value={filter[name] ?? ""} onChange={(event) => change(name, event.currentTarget.value)}>
      <option value="">{label(name)}</option>
      {values.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
    </select>
  );
  const words = (name: Filter) => choice(name, (CHOICES[name] ?? []).map((value) => [value, t(`${name}.${value}` as Word)]));
  const common = (name: Filter) => ({ "aria-label": label(name), title: label(name), placeholder: label(name) });
  const text = (name: Filter) => (
    <input
      class="input small filter-text"
      type="text"
      value={filter[name] ?? ""}
      onChange={(event) => change(name, event.currentTarget.value)}
      {...common(name)}
    />
  );
  const number = (name: Filter, limits: { min: string; max?: string; step?: string }) => (
    <input
      class="input small filter-number"
      type="number"
      value={filter[name] ?? ""}
      onChange={(event) => change(name, event.currentTarget.value)}
      {...limits}
      {...common(name)}
    />
  );
  const date = (name: Filter) => (
    <label class="row small soft">
      {label(name)}
      <input
        class="input small"
        type="date"
        value={dayOf(filter[name] ?? "", name === "until")}
        onChange={(event) => change(name, edgeOf(event.currentTarget.value, name === "until"))}
      />
    </label>
  );
  const tick = (name: Filter) => (
    <label class="check small">
      <input type="checkbox" checked={filter[name] === "true"} onChange={(event) => change(name, event.currentTarget.checked ? "true" : "")} />
      {label(name)}
    </label>
  );
  return (
    <form class="filters" aria-label={t("samples.filters")} onSubmit={(event) => event.preventDefault()}>
      {words("picked")}
      {words("label_state")}
      {choice("class", classes.map((name, at) => [String(at), name]))}
      {words("part")}
      {text("miner")}
      {text("edge")}
      {number("round", { min: "1" })}
      {number("min_score", { min: "0", max: "1", step: "0.05" })}
      {number("max_score", { min: "0", max: "1", step: "0.05" })}
      {date("since")}
      {date("until")}
      {tick("wrong")}
      {tick("excluded")}
      {tick("problem")}
      {Object.keys(filter).length > 0 && <Button small look="quiet" icon="close" onClick={clear}>{t("samples.clear")}</Button>}
    </form>
  );
}

const TILE = 172;
const GAP = 12;
const CAPTION = 54;

interface GridProps {
  job: JobName;
  items: readonly SampleRow[];
  names: readonly string[];
  more: () => void;
}

function Grid({ job, items, names, more }: GridProps) {
  const t = useWords();
  const { route } = useLocation();
  const place = useRef<HTMLDivElement>(null);
  const [{ width, top }, measure] = useState({ width: 0, top: 0 });
  const [focus, setFocus] = useState(0);
  const moving = useRef(false);
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    const look = () => measure({ width: element.clientWidth, top: element.getBoundingClientRect().top + window.scrollY });
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const columns = Math.max(1, Math.floor((width + GAP) / (TILE + GAP)));
  const side = width > 0 ? (width - GAP * (columns - 1)) / columns : TILE;
  const rowHeight = side + CAPTION + GAP;
  const rows = useRows(Math.ceil(items.length / columns), rowHeight, top);
  const last = rows.items.at(-1)?.index ?? 0;
  useEffect(() => {
    if ((last + 4) * columns >= items.length) more();
  }, [last, columns, items.length, more]);
  useEffect(() => {
    if (!moving.current) return;
    moving.current = false;
    place.current?.querySelector<HTMLElement>(`[data-at="${focus}"]`)?.focus();
  });

  const walk = (event: KeyboardEvent) => {
    const steps: Record<string, number> = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -focus, End: items.length - 1 - focus,
    };
    const by = steps[event.key];
    if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = Math.min(Math.max(focus + by, 0), items.length - 1);
    moving.current = true;
    setFocus(next);
    rows.show(Math.floor(next / columns));
  };

  return (
    <div ref={place} class="grid-frame" style={{ height: `${rows.height}px` }} onKeyDown={walk} role="list" aria-label={t("tab.samples")}>
      {rows.items.map((row) =>
        items.slice(row.index * columns, (row.index + 1) * columns).map((item, column) => {
          const at = row.index * columns + column;
          const href = jobPage(job, "samples", item.record.sample_id);
          return (
            <div
              key={item.record.sample_id}
              class="tile-place"
              role="listitem"
              style={{ width: `${side}px`, transform: `translate(${column * (side + GAP)}px, ${row.start - rows.margin}px)` }}
            >
              <a
                class="tile"
                href={href}
                data-at={at}
                tabIndex={at === focus ? 0 : -1}
                onFocus={() => setFocus(at)}
                onKeyDown={(event) => event.key === " " && (event.preventDefault(), route(href))}
              >
                <Thumbnail job={job} item={item} side={side} />
                <Caption item={item} names={names} />
              </a>
            </div>
          );
        }),
      )}
    </div>
  );
}

function Thumbnail({ job, item, side }: { job: JobName; item: SampleRow; side: number }) {
  const t = useWords();
  const [failed, setFailed] = useState(false);
  const { sample_id: id } = item.record;
  if (failed) return <span class="tile-picture tile-failed small" style={{ height: `${side}px` }}>{item.problem ?? t("samples.noPicture")}</span>;
  return (
    <img
      class="tile-picture"
      src={thumbnailUrl(job, id)}
      alt={t("samples.alt", { id: shortId(id) })}
      width={side}
      height={side}
      loading="lazy"
      decoding="async"
      onError={() => setFailed(true)}
    />
  );
}

/** What a model or a person says it shows, in one line. */
export function shows(item: SampleRow, names: readonly string[]): string {
  const said = item.label?.annotation ?? item.record.prediction;
  if (said.label !== null && said.label !== undefined) return className(names, said.label);
  const seen = new Map<number, number>();
  for (const box of said.boxes ?? []) seen.set(box.label, (seen.get(box.label) ?? 0) + 1);
  return [...seen].map(([label, many]) => (many > 1 ? `${className(names, label)} ×${many}` : className(names, label))).join(", ");
}

function Caption({ item, names }: { item: SampleRow; names: readonly string[] }) {
  const t = useWords();
  const state = item.excluded ? "bad" : item.label ? "good" : "warn";
  const { verdict } = item.record;
  return (
    <span class="tile-caption">
      <span class="row">
        <span class={cx("dot", state)} title={t(item.excluded ? "state.out" : item.label ? "state.labelled" : "state.waiting")} />
        <span class="clip">{shows(item, names) || t("answer.nothing")}</span>
      </span>
      <span class="row faint small numbers">
        <span class="clip">{t(`picked.${item.record.picked}` as Word)}</span>
        <span class="push">{verdict.score !== null && verdict.score !== undefined ? verdict.score.toFixed(2) : ""}</span>
      </span>
    </span>
  );
}

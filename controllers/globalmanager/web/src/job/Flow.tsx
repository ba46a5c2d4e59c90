// The loop as it is: from the edges through labels and training back to them, with what is where.
import type { ComponentChildren } from "preact";

import { jobPage, type JobName } from "../api/job";
import type { Flow as FlowView } from "../api/types";
import { cx } from "../lib/classes";
import { count, duration, percent } from "../lib/format";
import { Meter } from "../ui/parts";
import { useWords } from "../words";

interface Props {
  job: JobName;
  flow: FlowView;
  phase: string;
}

export function Flow({ job, flow, phase }: Props) {
  const t = useWords();
  const progress = flow.training.progress;
  const share = progress?.share ?? null;
  const eta = progress?.eta_seconds ?? null;
  const trains = phase === "Training" || phase === "Evaluating";
  return (
    <div class="flow-frame">
      <ol class="flow" aria-label={t("flow.title")}>
        <Station name={t("flow.edges")} value={`${flow.edges.live}/${flow.edges.all}`} bad={flow.edges.live < flow.edges.all}>
          {t("flow.live")}
        </Station>
        <Station name={t("flow.spool")} value={flow.spool === null ? "–" : count(flow.spool)}>{t("flow.onTheWay")}</Station>
        <Station name={t("flow.store")} value={count(flow.store)} href={jobPage(job, "samples")}>{t("flow.samples")}</Station>
        <Station name={t("flow.labels")} value={count(flow.labels.waiting)} href={jobPage(job, "label")}>
          {t("flow.waiting")}, {t("flow.settled", { n: count(flow.labels.settled) })}
          {flow.labels.review > 0 && <a href={jobPage(job, "review")}>{t("flow.review", { n: flow.labels.review })}</a>}
        </Station>
        <Station
          name={trains ? t(`phase.${phase}`) : t("phase.Training")}
          value={trains ? (share !== null ? percent(share) : "…") : count(flow.training.new)}
          active={trains}
        >
          {trains && share !== null && <Meter share={share} label={t("phase.Training")} />}
          {trains ? eta !== null && t("eta", { time: duration(eta) }) : t("flow.new")}
        </Station>
        <Station
          name={t("flow.gate")}
          value={phase === "Judging" || flow.gate.round === null ? "–" : `#${flow.gate.round}`}
          active={phase === "Judging"}
        >
          {phase === "Judging" ? t("phase.Judging") : flow.gate.outcome ? t(`gate.${flow.gate.outcome}`) : t("flow.idle")}
        </Station>
        <Station
          name={t("flow.service")}
          value={flow.model === null ? "–" : `v${flow.model}`}
          active={phase === "Deploying"}
          href={jobPage(job, "models")}
        >
          {phase === "Deploying" ? t("phase.Deploying") : t("flow.serving")}
        </Station>
      </ol>
      <div class="flow-back" aria-hidden="true" />
    </div>
  );
}

interface StationProps {
  name: string;
  value: string;
  href?: string;
  active?: boolean;
  bad?: boolean;
  children?: ComponentChildren;
}

function Station({ name, value, href, active, bad, children }: StationProps) {
  return (
    <li class={cx("station", active && "active", bad && "bad")} aria-current={active ? "step" : undefined}>
      <p class="station-name">{href ? <a href={href}>{name}</a> : name}</p>
      <p class="station-value numbers">{value}</p>
      <div class="station-note">{children}</div>
    </li>
  );
}

// One job: the loop with live counts, why no round starts, rounds with curves, the gate's verdict, the log.
import { lazy } from "preact-iso";
import { useMemo, useState } from "preact/hooks";

import { jobPage, sameJob, type JobName } from "../api/job";
import { flow, home, listRounds, readJob } from "../api/reads";
import { mayAs, session } from "../api/session";
import type { JobView, RoundRow } from "../api/types";
import { Actions, type Act } from "../job/Actions";
import { Flow } from "../job/Flow";
import { curveOf, metricOf } from "../job/figures";
import { Gate } from "../job/Gate";
import { Log } from "../job/Log";
import { People } from "../job/People";
import { Rounds } from "../job/Rounds";
import { Why } from "../job/Why";
import { useCell } from "../lib/cell";
import { useQuery } from "../lib/query";
import { useTitle } from "../lib/title";
import type { LiveEvent } from "../live/stream";
import "../styles/job.css";
import { JobFrame, useJob } from "../ui/JobFrame";
import { Bones, Empty, Loaded, Notice } from "../ui/parts";
import { PhaseChip } from "../ui/phase";
import { useWords } from "../words";

const Curve = lazy(() => import("../job/Curve").then((file) => file.Curve));

export function Job() {
  const job = useJob();
  const root = jobPage(job);
  useTitle(job.name);
  const on = (event: LiveEvent) => sameJob(event.job, job);
  const read = useQuery(`job ${root}`, (signal) => readJob(job, signal), { every: 10, on });
  const counts = useQuery(`flow ${root}`, (signal) => flow(job, signal), { every: 3, on });
  const summary = useQuery(`home ${root}`, home, { every: 5, on });
  const rounds = useQuery(`rounds ${root}`, (signal) => listRounds(job, null, signal), { every: 15, on });
  const mine = summary.data?.jobs.find((one) => sameJob(one, job));
  const reload = () => [read, counts, summary, rounds].forEach((query) => query.reload());

  return (
    <JobFrame
      job={job}
      side={
        read.data && (
          <>
            <PhaseChip phase={read.data.phase} />
            <span class="push" />
            <Actions job={job} acts={actsOf(read.data)} onDone={reload} />
          </>
        )
      }
    >
      {read.data?.degraded && <Notice>{read.data.degraded}</Notice>}
      {read.data?.paused && <Notice tone="warn">{read.data.paused}</Notice>}
      <section class="card card-body">
        <Loaded query={counts} bones={<Bones rows={1} height={92} />}>
          {(found) => <Flow job={job} flow={found} phase={read.data?.phase ?? "Waiting"} />}
        </Loaded>
      </section>
      <Loaded query={read}>
        {(view) => (
          <Loaded query={rounds}>
            {(page) => <Story job={job} view={view} rounds={page.items} why={mine && <Why trigger={mine.trigger} />} />}
          </Loaded>
        )}
      </Loaded>
    </JobFrame>
  );
}

function actsOf(view: JobView): Act[] {
  return ["train", "eval", "deploy", "rollback", view.paused === null ? "pause" : "resume"];
}

interface StoryProps {
  job: JobName;
  view: JobView;
  rounds: readonly RoundRow[];
  why: preact.ComponentChildren;
}

function Story({ job, view, rounds, why }: StoryProps) {
  const t = useWords();
  const labels = mayAs(useCell(session), "labeller");
  const [picked, setPicked] = useState<number | null>(null);
  const judged = rounds.find((row) => row.verdict);
  const chosen = rounds.find((row) => row.round === picked) ?? judged ?? rounds[0];
  const points = useMemo(() => curveOf(rounds), [rounds]);
  const verdict = chosen?.verdict;
  const logged = rounds.find((row) => row.round === picked)?.round ?? rounds[0]?.round;
  return (
    <div class="job-grid">
      <section class="card">
        <div class="card-head"><h2>{t("why.title")}</h2></div>
        <div class="card-body">{why ?? <Bones rows={2} />}</div>
      </section>
      <section class="card">
        <div class="card-head">
          <h2>{t("curve.title")}</h2>
          <span class="small soft">{metricOf(rounds)}</span>
        </div>
        <div class="card-body">
          {points.length > 0 ? <Curve points={points} metric={metricOf(rounds)} /> : <Empty icon="chart" title={t("curve.none")} />}
        </div>
      </section>
      <section class="card wide">
        <div class="card-head"><h2>{t("rounds.title")}</h2></div>
        {rounds.length > 0 ? (
          <Rounds rounds={rounds} chosen={chosen?.round ?? null} onChoose={setPicked} />
        ) : (
          <Empty icon="redo" title={t("rounds.none")} />
        )}
      </section>
      <section class="card">
        <div class="card-head">
          <h2>{chosen ? t("gate.title", { n: chosen.round }) : t("gate.none")}</h2>
        </div>
        <div class="card-body">
          {verdict ? <Gate verdict={verdict} names={view.class_names} /> : <p class="soft">{chosen?.outcome_reason || t("gate.notYet")}</p>}
          {verdict && (
            <p class="small job-wrong">
              <a href={`${jobPage(job, "samples")}?wrong=true`}>{t("gate.wrong")}</a>
            </p>
          )}
          {chosen && chosen.holdout_changes > 0 && (
            <Notice tone="warn">{t("gate.changed", { n: chosen.holdout_changes, who: chosen.holdout_changed_by ?? "–" })}</Notice>
          )}
        </div>
      </section>
      <div class="stack-l">
        <section class="card">
          <div class="card-body">
            {logged === undefined ? <Empty icon="chart" title={t("log.none")} /> : <Log key={logged} job={job} round={logged} />}
          </div>
        </section>
        {labels && <People job={job} />}
      </div>
    </div>
  );
}

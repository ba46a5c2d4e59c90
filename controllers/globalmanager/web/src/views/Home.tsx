// Every job as a card, trouble first.
import { home } from "../api/reads";
import { jobPage } from "../api/job";
import { mayAs, session } from "../api/session";
import type { HomeJob } from "../api/types";
import { useCell } from "../lib/cell";
import { cx } from "../lib/classes";
import { count, duration, figure, percent, signed } from "../lib/format";
import { useQuery } from "../lib/query";
import { useTitle } from "../lib/title";
import { Icon } from "../ui/Icon";
import { Ago, Empty, Loaded, Meter, Notice } from "../ui/parts";
import { PhaseChip } from "../ui/phase";
import { Spark } from "../ui/Spark";
import { useWords } from "../words";

/** What needs somebody comes first: trouble, then what runs, then the most to label. */
export function inOrder(jobs: readonly HomeJob[]): HomeJob[] {
  const rank = (job: HomeJob) => (job.degraded ? 0 : job.progress ? 1 : 2);
  return [...jobs].sort((a, b) => rank(a) - rank(b) || b.waiting - a.waiting || a.name.localeCompare(b.name));
}

export function Home() {
  const t = useWords();
  useTitle(t("nav.jobs"));
  const query = useQuery("home", home, { every: 10, on: () => true });
  return (
    <main id="main" class="page">
      <h1>{t("nav.jobs")}</h1>
      <Loaded query={query}>
        {(found) => (
          <>
            {found.trouble.length > 0 && (
              <Notice>
                <ul>
                  {found.trouble.map((text) => (
                    <li key={text}>{text}</li>
                  ))}
                </ul>
              </Notice>
            )}
            {found.jobs.length === 0 ? (
              <div class="card">
                <Empty title={t("home.none")}>
                  <p>{t("home.how")}</p>
                  <p>
                    <code>sedna apply job.yaml</code>
                  </p>
                </Empty>
              </div>
            ) : (
              <ul class="cards">
                {inOrder(found.jobs).map((job) => (
                  <JobCard key={`${job.namespace}/${job.name}`} job={job} />
                ))}
              </ul>
            )}
          </>
        )}
      </Loaded>
    </main>
  );
}

function JobCard({ job }: { job: HomeJob }) {
  const t = useWords();
  const labels = mayAs(useCell(session), "labeller");
  const values = (job.metric?.points ?? []).map((point) => point.value);
  const last = values.at(-1);
  const before = values.at(-2);
  return (
    <li class={cx("card", "job-card", job.degraded && "trouble")}>
      <div class="row">
        <h2 class="clip">
          <a href={jobPage(job)}>{job.name}</a>
        </h2>
        {job.namespace !== "default" && <span class="faint small clip">{job.namespace}</span>}
        <span class="push" />
        <PhaseChip phase={job.phase} />
      </div>
      {job.degraded && (
        <p class="small row">
          <Icon name="alert" size={16} />
          <span class="break">{job.degraded}</span>
        </p>
      )}
      <div class="job-figure">
        <div>
          <p class="big numbers">{figure(last)}</p>
          <p class="small soft">
            {job.champion === null
              ? t("home.noModel")
              : job.metric
                ? t("home.model", { metric: job.metric.name, version: job.champion })
                : t("home.modelOnly", { version: job.champion })}
          </p>
        </div>
        <div class="curve">
          <Spark
            values={values}
            label={t("home.curve", { metric: job.metric?.name ?? "", values: values.map((value) => figure(value)).join(", ") })}
          />
        </div>
        {last !== undefined && before !== undefined && (
          <p class="small soft numbers" title={t("home.change")}>
            {signed(last - before)}
          </p>
        )}
      </div>
      {job.progress ? (
        <div class="stack">
          <Meter share={job.progress.share ?? 0} label={job.progress.stage} />
          <p class="small soft numbers">
            {job.progress.share === null ? "" : percent(job.progress.share)}
            {job.progress.eta_seconds !== null && ` · ${t("eta", { time: duration(job.progress.eta_seconds) })}`}
          </p>
        </div>
      ) : (
        <p class="small soft break">{job.trigger.sentence}</p>
      )}
      <footer>
        {labels && job.waiting > 0 ? (
          <a class="button small primary" href={jobPage(job, "label")}>
            <Icon name="pen" size={16} />
            {t("home.label", { n: count(job.waiting) })}
          </a>
        ) : (
          <span class="small soft">{t("home.waiting", { n: count(job.waiting) })}</span>
        )}
        <span class="push small faint">
          {job.last_heartbeat_at ? <>{t("home.heard")} <Ago at={job.last_heartbeat_at} /></> : t("home.noEdge")}
        </span>
      </footer>
    </li>
  );
}

// Every edge: whether it is heard, what it serves, what it has sent.
import { jobPage } from "../api/job";
import { listEdges, readStatus } from "../api/reads";
import type { EdgeRow } from "../api/types";
import { bytes, count } from "../lib/format";
import { useQuery } from "../lib/query";
import { useTitle } from "../lib/title";
import { Ago, Chip, Empty, Facts, Loaded, Notice, type Tone } from "../ui/parts";
import { useWords, type Word } from "../words";

const TONES: Record<string, Tone> = { serving: "good", loading: "busy", failed: "bad", empty: "plain" };

export function Edges() {
  const t = useWords();
  useTitle(t("nav.edges"));
  const query = useQuery("edges", listEdges, { every: 5, on: () => true });
  const status = useQuery("status", readStatus, { every: 5 });
  const live = new Map(status.data?.edges.map((edge) => [edge.name, edge.live]));
  return (
    <main id="main" class="page">
      <h1>{t("nav.edges")}</h1>
      <Loaded query={query}>
        {(edges) =>
          edges.length === 0 ? (
            <div class="card"><Empty icon="edge" title={t("edges.none")}><p><code>sedna edge register line-1</code></p></Empty></div>
          ) : (
            <ul class="cards">
              {edges.map((edge) => <Edge key={edge.name} edge={edge} live={live.get(edge.name)} />)}
            </ul>
          )
        }
      </Loaded>
    </main>
  );
}

function Edge({ edge, live }: { edge: EdgeRow; live: boolean | undefined }) {
  const t = useWords();
  const tone: Tone = live === undefined ? "plain" : live ? "good" : "bad";
  return (
    <li class="card job-card">
      <div class="row">
        <h2 class="clip">{edge.name}</h2>
        <span class="push" />
        <Chip tone={tone} dot>{t(live ? "edges.live" : "edges.silent")}</Chip>
      </div>
      <Facts pairs={[[t("home.heard"), <Ago at={edge.last_seen_at} />], [t("edges.software"), edge.software || "–"], edge.pod ? ["Pod", edge.pod] : null]} />
      {edge.jobs.map((said) => (
        <div key={`${said.job.namespace}/${said.job.name}`} class="stack">
          <div class="row">
            <h3><a href={jobPage({ namespace: said.job.namespace ?? "default", name: said.job.name })}>{said.job.name}</a></h3>
            <span class="push" />
            <Chip tone={TONES[said.state] ?? "plain"}>{TONES[said.state] ? t(`serving.${said.state}` as Word) : said.state}</Chip>
            <span class="numbers">{said.model_version ? `v${said.model_version}` : "–"}</span>
          </div>
          {said.failed_version !== null && said.failed_version !== undefined && (
            <Notice tone="warn">{t("edges.gaveUp", { version: said.failed_version })} {said.reason}</Notice>
          )}
          <Facts pairs={counters(said.counters, t)} />
        </div>
      ))}
    </li>
  );
}

const COUNTERS = ["requests", "requests_failed", "frames", "hard", "audit", "spooled", "uploaded", "rejected", "dropped"] as const;

function counters(found: Record<string, unknown>, t: ReturnType<typeof useWords>): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (const name of COUNTERS) {
    const value = found[name];
    if (typeof value === "number" && (value > 0 || name === "requests")) pairs.push([t(`counter.${name}`), count(value)]);
  }
  if (typeof found.spool_bytes === "number") pairs.push([t("counter.spool"), bytes(found.spool_bytes)]);
  return pairs;
}

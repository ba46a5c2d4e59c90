// Who has labelled how much, and how well people agree.
import type { JobName } from "../api/job";
import { jobPage } from "../api/job";
import { count, duration, figure } from "../lib/format";
import { useQuery } from "../lib/query";
import { summary, type LabellingSummary } from "../label/tasks";
import { Bones, Loaded } from "../ui/parts";
import { useWords } from "../words";

export function People({ job }: { job: JobName }) {
  const t = useWords();
  const query = useQuery(`labelling ${jobPage(job)}`, (signal) => summary(job, signal), { every: 10 });
  return (
    <section class="card">
      <div class="card-head">
        <h2>{t("labelling.title")}</h2>
        {query.data && query.data.annotators > 1 && (
          <span class="small soft">{t("labelling.each", { n: query.data.annotators })}</span>
        )}
      </div>
      <div class="card-body">
        <Loaded query={query} bones={<Bones rows={2} height={36} />}>
          {(found) => <Table found={found} />}
        </Loaded>
      </div>
    </section>
  );
}

function Table({ found }: { found: LabellingSummary }) {
  const t = useWords();
  const { agreement } = found;
  const counts = (["waiting", "claimed", "answered", "review", "settled", "bad"] as const).filter(
    (name) => found[name] > 0 || name === "waiting" || name === "settled",
  );
  return (
    <div class="stack">
      <p class="small soft numbers">{counts.map((name) => `${t(`labelling.${name}`)} ${count(found[name])}`).join("  ·  ")}</p>
      {found.by_person.length === 0 ? (
        <p class="soft">{t("labelling.nobody")}</p>
      ) : (
        <div class="table-frame">
          <table class="table">
            <thead>
              <tr>
                <th>{t("labelling.person")}</th>
                <th class="num">{t("labelling.answers")}</th>
                <th class="num">{t("labelling.median")}</th>
              </tr>
            </thead>
            <tbody>
              {found.by_person.map((one) => (
                <tr key={one.person}>
                  <th scope="row">{one.person}</th>
                  <td class="num">{count(one.answers)}</td>
                  <td class="num">{one.median_seconds === null ? "–" : duration(one.median_seconds)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {agreement?.pairs.map((pair) => (
        <p key={`${pair.a} ${pair.b}`} class="small numbers">
          {t("labelling.pair", {
            a: pair.a, b: pair.b, n: pair.samples, kappa: figure(pair.kappa, 2), overlap: figure(pair.overlap, 2),
          })}
        </p>
      ))}
    </div>
  );
}

// Model versions of a job: where each comes from, two beside each other, the files.
import { useState } from "preact/hooks";

import { body, api } from "../api/client";
import { jobApi, jobPage, sameJob, type JobName } from "../api/job";
import { listModels, listRounds, readJob } from "../api/reads";
import type { RoundRow } from "../api/types";
import { Actions } from "../job/Actions";
import { Gate } from "../job/Gate";
import { bytes, figure } from "../lib/format";
import { usePages } from "../lib/pages";
import { useQuery } from "../lib/query";
import { useTitle } from "../lib/title";
import "../styles/job.css";
import { Dialog } from "../ui/Dialog";
import { JobFrame, useJob } from "../ui/JobFrame";
import { Ago, Bones, Button, Chip, Empty, ErrorNotice, Facts, Loaded } from "../ui/parts";
import { useWords } from "../words";

export function Models() {
  const t = useWords();
  const job = useJob();
  useTitle(`${t("tab.models")} ${job.name}`);
  const read = useQuery(`job ${jobPage(job)}`, (signal) => readJob(job, signal), { on: (event) => sameJob(event.job, job) });
  const pages = usePages(`models ${jobPage(job)}`, (cursor, signal) => listModels(job, cursor, signal));
  const [pair, setPair] = useState<readonly number[]>([]);
  const [files, setFiles] = useState<number | null>(null);
  const champion = read.data?.champion ?? null;
  const choose = (version: number) =>
    setPair((old) => (old.includes(version) ? old.filter((one) => one !== version) : [...old.slice(-1), version]));
  const rounds = useQuery(`rounds ${jobPage(job)}`, (signal) => listRounds(job, null, signal));
  const judged = rounds.data?.items ?? [];
  const [a, b] = [...pair].sort((x, y) => x - y);
  return (
    <JobFrame job={job}>
      {pages.error !== undefined && <ErrorNotice error={pages.error} retry={pages.reload} />}
      {pages.items.length === 0 && pages.loading && <Bones />}
      {pages.items.length === 0 && !pages.loading && pages.error === undefined && <div class="card"><Empty title={t("models.none")} /></div>}
      {pages.items.length > 0 && (
        <section class="card">
          <div class="table-frame">
            <table class="table">
              <thead>
                <tr>
                  <th>{t("models.compare")}</th>
                  <th>{t("models.version")}</th>
                  <th>{t("models.from")}</th>
                  <th class="num">{t("rounds.round")}</th>
                  <th class="num">{t("models.dataset")}</th>
                  <th class="num">{t("models.figure")}</th>
                  <th class="num">{t("models.size")}</th>
                  <th>{t("models.made")}</th>
                  <th><span class="unseen">{t("models.actions")}</span></th>
                </tr>
              </thead>
              <tbody>
                {pages.items.map((model) => (
                  <tr key={model.version} aria-selected={pair.includes(model.version)}>
                    <td>
                      <label class="check">
                        <input type="checkbox" checked={pair.includes(model.version)} onChange={() => choose(model.version)} aria-label={t("models.compareNamed", { version: model.version })} />
                      </label>
                    </td>
                    <th scope="row">
                      <span class="row">v{model.version} {model.version === champion && <Chip tone="good" dot>{t("models.serving")}</Chip>}</span>
                    </th>
                    <td>{model.parent ? `v${model.parent}` : (model.note || "–")}</td>
                    <td class="num">{model.round ?? "–"}</td>
                    <td class="num">{model.dataset_version ? `v${model.dataset_version}` : "–"}</td>
                    <td class="num">{figureOf(model.version, judged)}</td>
                    <td class="num">{bytes(model.size)}</td>
                    <td><Ago at={model.created_at} /></td>
                    <td>
                      <div class="row">
                        <Button small look="quiet" icon="download" onClick={() => setFiles(model.version)}>{t("models.files")}</Button>
                        {model.version !== champion && <Actions job={job} acts={["promote"]} version={model.version} small onDone={read.reload} />}
                      </div>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      )}
      {!pages.whole && <Button onClick={pages.more}>{t("more")}</Button>}
      {a !== undefined && b !== undefined && <Compare a={a} b={b} rounds={judged} names={read.data?.class_names ?? []} />}
      {files !== null && <Files job={job} version={files} onClose={() => setFiles(null)} />}
    </JobFrame>
  );
}

/** What the gate found when it judged a model, the newest time first. */
function figureOf(version: number, rounds: readonly RoundRow[]): string {
  const verdict = rounds.find((row) => row.candidate === version && row.verdict)?.verdict;
  return verdict ? `${verdict.metric} ${figure(verdict.candidate)}` : "–";
}

interface CompareProps {
  a: number;
  b: number;
  rounds: readonly RoundRow[];
  names: readonly string[];
}

/** Two models on the same samples: a round that has judged one against the other. */
function Compare({ a, b, rounds, names }: CompareProps) {
  const t = useWords();
  const judged = rounds.find((row) => {
    const pair = [row.candidate, row.champion];
    return row.verdict && pair.includes(a) && pair.includes(b);
  });
  const title = judged ? { a: judged.champion ?? a, b: judged.candidate ?? b } : { a, b };
  return (
    <section class="card">
      <div class="card-head">
        <h2>{t("models.beside", title)}</h2>
        {judged && <span class="small soft">{t("models.sameSamples", { round: judged.round })}</span>}
      </div>
      <div class="card-body">
        {judged?.verdict ? <Gate verdict={judged.verdict} names={names} /> : <p class="soft">{t("models.neverJudged")}</p>}
      </div>
    </section>
  );
}

function Files({ job, version, onClose }: { job: JobName; version: number; onClose: () => void }) {
  const t = useWords();
  const params = { path: { ...job, version } };
  const query = useQuery(`manifest ${jobPage(job)} ${version}`, (signal) =>
    body(api.GET("/api/v1/jobs/{namespace}/{name}/models/{version}/manifest", { params, signal })),
  );
  return (
    <Dialog title={t("models.filesOf", { version })} onClose={onClose}>
      <Loaded query={query}>
        {(manifest) => (
          <>
            <Facts pairs={[[t("models.runtime"), `${manifest.runtime} · ${manifest.format}`], ["sha256", <code class="break">{manifest.files[0]?.sha256 ?? "–"}</code>]]} />
            <ul class="stack">
              {manifest.files.map((file) => (
                <li key={file.name} class="row">
                  <a class="break" href={`/api/v1${jobApi(job)}/models/${version}/files/${file.name.split("/").map(encodeURIComponent).join("/")}`} download={file.name.split("/").at(-1)}>
                    {file.name}
                  </a>
                  <span class="push small soft numbers">{bytes(file.size)}</span>
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </Dialog>
  );
}

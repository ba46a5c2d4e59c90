// Dataset versions of a job, the newest first, and its labels as files of other tools.
import { useState } from "preact/hooks";

import { jobApi, jobPage, type JobName } from "../api/job";
import { listDatasets } from "../api/reads";
import { count } from "../lib/format";
import { usePages } from "../lib/pages";
import { useTitle } from "../lib/title";
import { Icon } from "../ui/Icon";
import { JobFrame, useJob } from "../ui/JobFrame";
import { Ago, Bones, Button, Chip, Empty, ErrorNotice } from "../ui/parts";
import { useWords } from "../words";

export function Datasets() {
  const t = useWords();
  const job = useJob();
  useTitle(`${t("tab.datasets")} ${job.name}`);
  const pages = usePages(`datasets ${jobPage(job)}`, (cursor, signal) => listDatasets(job, cursor, signal));
  return (
    <JobFrame job={job}>
      {pages.error !== undefined && <ErrorNotice error={pages.error} retry={pages.reload} />}
      {pages.items.length === 0 && pages.loading && <Bones />}
      {pages.items.length === 0 && !pages.loading && pages.error === undefined && <div class="card"><Empty title={t("datasets.none")} /></div>}
      {pages.items.length > 0 && (
        <section class="card table-frame">
          <table class="table">
            <thead>
              <tr>
                <th>{t("models.version")}</th>
                <th>{t("models.from")}</th>
                <th class="num">{t("rounds.round")}</th>
                <th class="num">{t("part.train")}</th>
                <th class="num">{t("part.eval")}</th>
                <th class="num">{t("part.holdout")}</th>
                <th class="num">{t("datasets.new")}</th>
                <th>{t("models.made")}</th>
                <th>{t("datasets.removed")}</th>
              </tr>
            </thead>
            <tbody>
              {pages.items.map((row) => (
                <tr key={row.version}>
                  <th scope="row">v{row.version}</th>
                  <td>{row.parent ? `v${row.parent}` : "–"}</td>
                  <td class="num"><a href={`${jobPage(job, "samples")}?round=${row.round}`}>{row.round}</a></td>
                  <td class="num">{count(row.train)}</td>
                  <td class="num">{count(row.eval)}</td>
                  <td class="num">{count(row.holdout)}</td>
                  <td class="num">{count(row.new)}</td>
                  <td><Ago at={row.created_at} /></td>
                  <td>{row.removed > 0 ? <Chip tone="warn">{t("datasets.lacks", { n: row.removed })}</Chip> : "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <Export job={job} />
      {!pages.whole && <Button onClick={pages.more}>{t("more")}</Button>}
    </JobFrame>
  );
}

const FORMATS = ["coco", "voc", "yolo", "cvat", "labelstudio", "csv", "jsonl"] as const;

function Export({ job }: { job: JobName }) {
  const t = useWords();
  const [format, setFormat] = useState<string>("coco");
  const [pictures, setPictures] = useState(false);
  const query = new URLSearchParams({ format, ...(pictures ? { pictures: "true" } : {}) });
  return (
    <section class="card card-body row-wrap">
      <h2>{t("export.title")}</h2>
      <span class="push" />
      <select class="select small" aria-label={t("export.format")} value={format} onChange={(event) => setFormat(event.currentTarget.value)}>
        {FORMATS.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
      <label class="check small">
        <input type="checkbox" checked={pictures} onChange={(event) => setPictures(event.currentTarget.checked)} />
        {t("export.pictures")}
      </label>
      <a class="button small" href={`/api/v1${jobApi(job)}/labels:export?${query}`} download>
        <Icon name="download" size={16} />
        {t("export.download")}
      </a>
    </section>
  );
}

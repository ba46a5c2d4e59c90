// The life of one sample: frame, prediction, verdict, labels, dataset versions, models, and whether the new one is right.
import { useRoute } from "preact-iso";
import { useState } from "preact/hooks";

import { call } from "../api/client";
import { drawingUrl, jobApi, jobPage, type JobName } from "../api/job";
import { readJob, readSample } from "../api/reads";
import { mayAs, session } from "../api/session";
import type { LabelRow, SampleStory } from "../api/types";
import { useCell } from "../lib/cell";
import { cx } from "../lib/classes";
import { bytes, moment, shortId } from "../lib/format";
import { useQuery } from "../lib/query";
import { useTitle } from "../lib/title";
import { Preview } from "../label/Boxes";
import { className } from "../label/palette";
import { said } from "../label/Trouble";
import "../styles/label.css";
import "../styles/samples.css";
import { Dialog } from "../ui/Dialog";
import { JobFrame, useJob } from "../ui/JobFrame";
import { Ago, Button, Chip, ErrorNotice, Facts, Loaded, Notice } from "../ui/parts";
import { toast } from "../ui/toasts";
import { useWords, type Word } from "../words";

export function Sample() {
  const job = useJob();
  const { params } = useRoute();
  const id = params.sample ?? "";
  useTitle(`${shortId(id)} ${job.name}`);
  const story = useQuery(`sample ${jobPage(job)} ${id}`, (signal) => readSample(job, id, signal));
  const read = useQuery(`job ${jobPage(job)}`, (signal) => readJob(job, signal));
  const names = read.data?.class_names ?? [];
  return (
    <JobFrame job={job}>
      <Loaded query={story}>
        {(found) => <Life job={job} story={found} names={names} reload={story.reload} />}
      </Loaded>
    </JobFrame>
  );
}

type Shown = "label" | "prediction" | "none";

interface LifeProps {
  job: JobName;
  story: SampleStory;
  names: readonly string[];
  reload: () => void;
}

function Life({ job, story, names, reload }: LifeProps) {
  const t = useWords();
  const { sample } = story;
  const { record } = sample;
  const [shown, setShown] = useState<Shown>(sample.label ? "label" : "prediction");
  const state = useCell(session);
  const word = (label: number) => className(names, label);
  const boxes = shown === "label" ? (sample.label?.annotation.boxes ?? []) : shown === "prediction" ? (record.prediction.boxes ?? []) : [];
  return (
    <>
      <div class="page-head">
        <h2 class="numbers">{shortId(record.sample_id)}</h2>
        <Chip tone={sample.excluded ? "bad" : sample.label ? "good" : "warn"} dot>
          {t(sample.excluded ? "state.out" : sample.label ? "state.labelled" : "state.waiting")}
        </Chip>
        {sample.part && <Chip>{t(`part.${sample.part}` as Word)}</Chip>}
        <span class="push" />
        {mayAs(state, "labeller") && !sample.excluded && (
          <a class="button" href={`${jobPage(job, "label")}?sample=${record.sample_id}`}>{t(sample.label ? "sample.again" : "tab.label")}</a>
        )}
        {mayAs(state, "admin") && <Exclude job={job} id={record.sample_id} out={sample.excluded} reload={reload} />}
      </div>
      {sample.problem && <Notice>{sample.problem}</Notice>}
      <div class="life">
        <section class="card">
          <div class="card-head">
            <div class="row" role="group" aria-label={t("sample.show")}>
              {(["label", "prediction", "none"] as const).map((one) => (
                <Button key={one} small aria-pressed={shown === one} disabled={one === "label" && !sample.label} onClick={() => setShown(one)}>
                  {t(`sample.show.${one}`)}
                </Button>
              ))}
            </div>
          </div>
          <div class="card-body">
            <Preview url={drawingUrl(job, record.sample_id)} size={record} boxes={boxes} names={word} label={t("samples.alt", { id: shortId(record.sample_id) })} />
          </div>
        </section>
        <section class="card">
          <div class="card-head"><h2>{t("sample.life")}</h2></div>
          <div class="card-body stack-l">
            <Facts
              pairs={[
                [t("sample.captured"), <>{moment(record.captured_at)} · {record.edge}</>],
                [t("sample.size"), `${record.width} × ${record.height} · ${record.extension} · ${bytes(record.size)}`],
                [t("sample.predicted"), <>v{record.model_version}: {said("boxes", wire(record.prediction), word, t)}</>],
                [t("sample.verdict"), <>
                  <Chip tone={record.verdict.hard ? "warn" : "plain"}>{t(record.verdict.hard ? "sample.hard" : "sample.easy")}</Chip>{" "}
                  {record.verdict.miner} {numbers(record.verdict.score, record.verdict.threshold)}
                  <span class="soft"> {record.verdict.reason}</span>
                </>],
                [t("sample.received"), <Ago at={sample.received_at} />],
                sample.source ? [t("sample.source"), <span class="break">{sample.source}</span>] : null,
              ]}
            />
            <Steps job={job} story={story} word={word} />
          </div>
        </section>
      </div>
    </>
  );
}

function wire(value: { boxes?: LabelRow["annotation"]["boxes"]; label?: number | null }) {
  return { boxes: [...(value.boxes ?? [])], label: value.label ?? null };
}

function numbers(score: number | null | undefined, threshold: number | null | undefined): string {
  if (score === null || score === undefined) return "";
  return threshold === null || threshold === undefined ? score.toFixed(3) : `${score.toFixed(3)} / ${threshold.toFixed(3)}`;
}

function Steps({ job, story, word }: { job: JobName; story: SampleStory; word: (label: number) => string }) {
  const t = useWords();
  const { labels, exclusions = [], dataset_versions: versions, models, checked = [] } = story;
  return (
    <ol class="steps">
      {labels.map((label) => (
        <li key={`label ${label.seq}`} class="step">
          <p><strong>{label.author}</strong>: {said("boxes", wire(label.annotation), word, t)} <Source label={label} /></p>
          <p class="small faint">{moment(label.created_at)}{label.withdrawn_at && ` · ${t("sample.withdrawn")}`}</p>
        </li>
      ))}
      {exclusions.map((one, at) => (
        <li key={`out ${at}`} class="step bad">
          <p><strong>{one.author}</strong>: {t(one.deleted ? "sample.deleted" : "sample.setAside")} – {one.reason}</p>
          <p class="small faint">{moment(one.created_at)}{one.ended && ` · ${t("sample.backAgain")}`}</p>
        </li>
      ))}
      {versions.length > 0 && (
        <li class="step"><p>{t("sample.inVersions")} <a href={jobPage(job, "datasets")}>{versions.map((v) => `v${v}`).join(", ")}</a></p></li>
      )}
      {models.length > 0 && (
        <li class="step"><p>{t("sample.trained")} <a href={jobPage(job, "models")}>{models.map((v) => `v${v}`).join(", ")}</a></p></li>
      )}
      {checked.map((one) => (
        <li key={`check ${one.round} ${one.version}`} class={cx("step", one.right ? "good" : "bad")}>
          <p>{t(one.right ? "sample.right" : "sample.wrong", { version: one.version })}</p>
          <p class="small faint">{one.round ? t("sample.checkedIn", { round: one.round }) : t("sample.checkedAt")}</p>
        </li>
      ))}
      {labels.length + versions.length + exclusions.length === 0 && <li class="step"><p class="soft">{t("sample.nothingYet")}</p></li>}
    </ol>
  );
}

function Source({ label }: { label: LabelRow }) {
  const t = useWords();
  return label.source ? <Chip>{t(`source.${label.source}`)}</Chip> : null;
}

interface ExcludeProps {
  job: JobName;
  id: string;
  out: boolean;
  reload: () => void;
}

function Exclude({ job, id, out, reload }: ExcludeProps) {
  const t = useWords();
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const [error, setError] = useState<unknown>();
  const path = `${jobApi(job)}/samples/${id}/exclusion`;
  const run = async (work: () => Promise<unknown>) => {
    try {
      await work();
      toast(t(out ? "sample.backAgain" : "sample.setAside"), "good");
      setOpen(false);
      reload();
    } catch (failed) {
      setError(failed);
    }
  };
  if (out) return <Button icon="undo" onClick={() => void run(() => call("DELETE", path))}>{t("sample.takeIn")}</Button>;
  return (
    <>
      <Button icon="trash" onClick={() => setOpen(true)}>{t("sample.out")}</Button>
      {open && (
        <Dialog title={t("sample.out")} onClose={() => setOpen(false)}>
          <form class="stack" onSubmit={(event) => (event.preventDefault(), void run(() => call("PUT", path, { body: { reason } })))}>
            <p class="soft">{t("sample.outWhat")}</p>
            <div class="field">
              <label for="out-reason">{t("act.reason")}</label>
              <input id="out-reason" class="input" required maxLength={1000} autofocus value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
            </div>
            {error !== undefined && <ErrorNotice error={error} />}
            <div class="dialog-foot">
              <Button onClick={() => setOpen(false)}>{t("cancel")}</Button>
              <Button look="primary" type="submit" disabled={reason.trim() === ""}>{t("sample.out")}</Button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}

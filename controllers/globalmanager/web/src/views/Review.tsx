// Where people disagree, are not sure, or the model doubts the label: side by side, settled by one click or key.
import { useCallback, useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";

import { drawingUrl, jobPage, type JobName } from "../api/job";
import { readJob } from "../api/reads";
import { mayAs, session } from "../api/session";
import { useCell } from "../lib/cell";
import { figure, shortId } from "../lib/format";
import { usePages } from "../lib/pages";
import { useQuery } from "../lib/query";
import { useTitle } from "../lib/title";
import type { WireAnnotation, WireBox } from "../label/annotation";
import { Preview } from "../label/Boxes";
import { Correct, kindOf } from "../label/Correct";
import { className } from "../label/palette";
import { decide, review, type Decision, type ReviewItem, type ReviewReason } from "../label/tasks";
import { said } from "../label/Trouble";
import "../styles/label.css";
import "../styles/samples.css";
import { JobFrame, useJob } from "../ui/JobFrame";
import { Bones, Button, Chip, Empty, ErrorNotice } from "../ui/parts";
import { toastError } from "../ui/toasts";
import { useWords } from "../words";

const REASONS: readonly (ReviewReason | "")[] = ["", "disagreement", "unsure", "label_error"];

export function Review() {
  const t = useWords();
  const job = useJob();
  useTitle(`${t("tab.review")} ${job.name}`);
  const { query, route } = useLocation();
  const reason = (REASONS.find((one) => one === query.reason) ?? "") as ReviewReason | "";
  const key = `${jobPage(job)} ${reason}`;
  const pages = usePages<ReviewItem>(key, (cursor, signal) => review(job, reason, cursor, signal));
  const read = useQuery(`job ${jobPage(job)}`, (signal) => readJob(job, signal));
  const [settled, setSettled] = useState<ReadonlySet<string>>(new Set());
  const left = pages.items.filter((item) => !settled.has(item.sample_id));
  const first = left[0];
  const { more, whole } = pages;
  useEffect(() => {
    if (left.length < 3 && !whole) more();
  }, [left.length, whole, more]);
  return (
    <JobFrame job={job}>
      <div class="row-wrap" role="group" aria-label={t("review.reason")}>
        {REASONS.map((one) => (
          <Button key={one} small aria-pressed={reason === one} onClick={() => route(`${jobPage(job, "review")}${one ? `?reason=${one}` : ""}`, true)}>
            {t(one ? `review.${one}` : "review.all")}
          </Button>
        ))}
        <span class="push small soft numbers">{left.length > 0 && t("review.left", { n: whole ? left.length : `${left.length}+` })}</span>
      </div>
      {pages.error !== undefined && <ErrorNotice error={pages.error} retry={pages.reload} />}
      {first ? (
        <Item
          key={first.sample_id}
          job={job}
          item={first}
          names={read.data?.class_names ?? []}
          onSettled={() => setSettled((old) => new Set([...old, first.sample_id]))}
        />
      ) : pages.loading ? (
        <Bones rows={1} height={360} />
      ) : (
        pages.error === undefined && <div class="card"><Empty icon="check" title={t("review.none")} /></div>
      )}
    </JobFrame>
  );
}

interface ItemProps {
  job: JobName;
  item: ReviewItem;
  names: readonly string[];
  onSettled: () => void;
}

interface Choice {
  title: string;
  text: string;
  boxes: readonly WireBox[];
  annotation: WireAnnotation | null;
  /** What taking it says; none: nobody can take "not sure". */
  decision: Decision | null;
}

function Item({ job, item, names, onSettled }: ItemProps) {
  const t = useWords();
  const [editing, setEditing] = useState(false);
  const allowed = mayAs(useCell(session), "labeller");
  const [busy, setBusy] = useState(false);
  const url = drawingUrl(job, item.sample_id);
  const word = (label: number) => className(names, label);
  const choices = choicesOf(item, word, t);
  const settle = useCallback(
    async (decision: Decision) => {
      setBusy(true);
      try {
        await decide(job, item.sample_id, decision, item.revision);
        onSettled();
      } catch (error) {
        toastError(error);
        setBusy(false);
      }
    },
    [job.namespace, job.name, item, onSettled],
  );
  const bad = () => void settle({ bad: true, reason: t("answer.bad") });
  const edit = () => setEditing(true);
  // A sample in review is claimed by nobody: who puts it right decides.
  const start = choices.find((choice) => choice.annotation !== null)?.annotation ?? null;
  const save = (annotation: WireAnnotation) =>
    void settle({ annotation, ...(names.length > 0 ? { class_names: names } : {}) });
  useEffect(() => {
    if (!allowed || busy || editing) return;
    const down = (event: KeyboardEvent) => {
      const target = event.target as Element;
      if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || target.closest("input, select, textarea, dialog")) return;
      if (event.repeat) return event.preventDefault(); // one press settles one sample
      const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
      const decision = digit ? choices[Number(digit) - 1]?.decision : null;
      if (decision) void settle(decision);
      else if (event.key === "z") bad();
      else if (event.key === "e") edit();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", down);
    return () => document.removeEventListener("keydown", down);
  });
  return (
    <article class="card">
      <div class="card-head">
        <h2 class="numbers"><a href={jobPage(job, "samples", item.sample_id)}>{shortId(item.sample_id)}</a></h2>
        {item.reasons.map((one) => <Chip key={one} tone="warn">{t(`review.${one}`)}</Chip>)}
        {item.agreement !== null && <span class="small soft numbers">{t("review.agreement", { value: figure(item.agreement, 2) })}</span>}
      </div>
      <div class="card-body review-item">
        <p class="break">{item.sentence}</p>
        {!editing && <div class="versions">
          {choices.map((choice, at) => (
            <figure key={at}>
              <figcaption><strong>{choice.title}</strong>: {choice.text}</figcaption>
              <Preview url={url} size={item} boxes={choice.boxes} names={word} label={`${choice.title}: ${choice.text}`} />
              {allowed && choice.decision && (
                <p class="review-take">
                  <Button look="primary" disabled={busy} onClick={() => choice.decision && void settle(choice.decision)}>
                    {t("review.take", { name: choice.title })} <kbd>{at + 1}</kbd>
                  </Button>
                </p>
              )}
            </figure>
          ))}
        </div>}
        {editing && (
          <Correct
            url={url} size={item} start={start} kind={kindOf(start)} names={names} busy={busy}
            onSave={save} onCancel={() => setEditing(false)}
          />
        )}
        {allowed && !editing && (
          <div class="review-foot">
            <Button icon="pen" disabled={busy} onClick={edit}>{t("review.edit")} <kbd>E</kbd></Button>
            <Button icon="trash" disabled={busy} onClick={bad}>{t("key.bad")} <kbd>Z</kbd></Button>
            <span class="push" />
            <Button icon="arrow" look="quiet" disabled={busy} onClick={onSettled}>{t("review.later")}</Button>
          </div>
        )}
      </div>
    </article>
  );
}

function choicesOf(item: ReviewItem, word: (label: number) => string, t: ReturnType<typeof useWords>): Choice[] {
  const standing = item.answers.filter((answer) => !answer.withdrawn);
  const choices: Choice[] = standing.map((answer) => ({
    title: answer.person,
    text: said(answer.kind, answer.annotation, word, t),
    boxes: answer.annotation?.boxes ?? [],
    annotation: answer.annotation,
    decision: answer.kind === "unsure" ? null : { take: answer.answer_id },
  }));
  const { prediction, label: stored } = item;
  if (stored && !standing.some((answer) => answer.person === stored.author)) {
    const { annotation } = stored;
    choices.push({ title: stored.author, text: said("boxes", annotation, word, t), boxes: annotation.boxes, annotation, decision: { annotation } });
  }
  if (prediction) {
    const boxes = prediction.boxes.map(({ x1, y1, x2, y2, label }) => ({ x1, y1, x2, y2, label }));
    const annotation = { boxes, label: prediction.label };
    const title = prediction.version ? t("review.modelNamed", { version: prediction.version }) : t("review.model");
    choices.push({ title, text: said("boxes", annotation, word, t), boxes, annotation, decision: { annotation } });
  }
  return choices;
}

// Answers that the service did not take: what somebody else says beside one's own, and a way out for each.
import { useState } from "preact/hooks";

import { drawingUrl, jobPage, sameJob } from "../api/job";
import { randomId } from "../lib/ids";
import { Dialog } from "../ui/Dialog";
import { Button, Notice } from "../ui/parts";
import { toastError } from "../ui/toasts";
import { useWords, type Word } from "../words";
import { reopened, type WireAnnotation } from "./annotation";
import { Preview } from "./Boxes";
import type { OpenDesk } from "./useDesk";
import type { Entry } from "./outbox";
import { className } from "./palette";

interface Props {
  open: OpenDesk;
  entries: readonly Entry[];
  classes: readonly string[];
}

export function Trouble({ open, entries, classes }: Props) {
  const t = useWords();
  const [looking, setLooking] = useState(false);
  const stuck = entries.filter((entry) => entry.state !== "waiting");
  const first = stuck[0];
  if (!first) return null;
  return (
    <>
      <Notice tone="warn">
        <div class="row-wrap">
          <span>{t("trouble.some", { n: stuck.length })}</span>
          <Button small onClick={() => setLooking(true)}>{t("trouble.look")}</Button>
        </div>
      </Notice>
      {looking && <Versions key={first.key} open={open} entry={first} classes={classes} onClose={() => setLooking(false)} />}
    </>
  );
}

/** What the service sent along with its 409. */
export function currentOf(entry: Entry): { annotation: WireAnnotation | null; revision: number | null; author: string } {
  const found = (entry.current ?? {}) as Record<string, unknown>;
  const said = (found.annotation ?? (found.label as Record<string, unknown> | undefined)?.annotation ?? null) as WireAnnotation | null;
  const author = found.author ?? found.person ?? "";
  return {
    annotation: said,
    revision: typeof found.revision === "number" ? found.revision : null,
    author: typeof author === "string" ? author : "",
  };
}

function Versions({ open, entry, classes, onClose }: { open: OpenDesk; entry: Entry; classes: readonly string[]; onClose: () => void }) {
  const t = useWords();
  const theirs = currentOf(entry);
  const url = drawingUrl(entry.job, entry.sample);
  const names = (label: number) => className(classes, label);
  const again = () => {
    const body = { ...entry.body, base_revision: theirs.revision ?? entry.body.base_revision };
    return open.outbox.replace(entry.key, { ...entry, key: randomId(), state: "waiting", body });
  };
  /** Back on the screen with what was drawn, for what cannot be sent as it is. */
  const edit = async () => {
    const marks = (entry.body.annotation?.boxes ?? []).map((box, at) => ({
      ...box, id: at + 1, origin: "person" as const, pending: false, score: null,
    }));
    const work = reopened({ marks, label: entry.body.annotation?.label ?? null });
    await open.desk.takeUp(entry.sample, work);
    await open.outbox.drop(entry.key); // last: until here it is the only place where the work is safe
  };
  const here = sameJob(entry.job, open.desk.job);
  const run = (work: () => Promise<unknown>) => void work().then(onClose, toastError);
  return (
    <Dialog title={t(`trouble.${entry.state}` as Word)} wide onClose={onClose}>
      <p class="break">{entry.message}</p>
      <div class="versions">
        <figure>
          <figcaption>{t("trouble.mine")}: {said(entry.body.kind, entry.body.annotation, names, t)}</figcaption>
          <Preview url={url} size={entry} boxes={entry.body.annotation?.boxes ?? []} names={names} label={t("trouble.mine")} />
        </figure>
        {entry.state === "conflict" && (
          <figure>
            <figcaption>
              {theirs.author || t("trouble.theirs")}: {said("boxes", theirs.annotation, names, t)}
            </figcaption>
            <Preview url={url} size={entry} boxes={theirs.annotation?.boxes ?? []} names={names} label={t("trouble.theirs")} />
          </figure>
        )}
      </div>
      <div class="dialog-foot">
        <Button look="danger" icon="trash" onClick={() => run(() => open.desk.giveUp(entry))}>{t("trouble.drop")}</Button>
        {here && <Button icon="pen" onClick={() => run(edit)}>{t("trouble.edit")}</Button>}
        {!here && <a class="button" href={jobPage(entry.job, "label")}>{t("trouble.there", { name: entry.job.name })}</a>}
        <Button look="primary" onClick={() => run(again)}>{t("trouble.again")}</Button>
      </div>
    </Dialog>
  );
}

export function said(kind: string, annotation: WireAnnotation | null, names: (label: number) => string, t: ReturnType<typeof useWords>): string {
  if (kind === "unsure" || kind === "bad" || kind === "nothing") return t(`answer.${kind}`);
  if (!annotation) return "–";
  if (annotation.label !== null && annotation.label !== undefined) return names(annotation.label);
  return annotation.boxes.length === 0 ? t("answer.nothing") : t("answer.boxes", { n: annotation.boxes.length });
}

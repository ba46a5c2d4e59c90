// What an admin can start. Each asks for a reason, which is kept with the round.
import { useState } from "preact/hooks";

import { call } from "../api/client";
import { jobApi, type JobName } from "../api/job";
import { mayAs, session } from "../api/session";
import { useCell } from "../lib/cell";
import { randomId } from "../lib/ids";
import { Dialog } from "../ui/Dialog";
import type { IconName } from "../ui/Icon";
import { Button, ErrorNotice } from "../ui/parts";
import { toast } from "../ui/toasts";
import { useWords, type Word } from "../words";

export type Act = "train" | "eval" | "deploy" | "promote" | "rollback" | "pause" | "resume";

const ICONS: Record<Act, IconName> = {
  train: "bolt", eval: "chart", deploy: "play", promote: "flag", rollback: "undo", pause: "pause", resume: "play",
};

interface Wish {
  reason: string;
  version: number | null;
}

/** One key for one dialog: a repeated click or a lost answer starts nothing twice. */
function ask(job: JobName, act: Act, { reason, version }: Wish, key: string): Promise<unknown> {
  const path = jobApi(job);
  const headers = { "Idempotency-Key": key };
  switch (act) {
    case "train":
    case "eval": return call("POST", `${path}/triggers`, { body: { action: act, reason }, headers });
    case "deploy": return call("POST", `${path}/triggers`, { body: { action: act, reason, ...(version ? { version } : {}) }, headers });
    case "promote": return call("POST", `${path}/models/${version}:promote`, { body: { reason }, headers });
    case "rollback": return call("POST", `${path}/models:rollback`, { body: { reason }, headers });
    case "pause": return call("POST", `${path}:pause`, { body: { reason } });
    case "resume": return call("POST", `${path}:resume`);
  }
}

interface Props {
  job: JobName;
  acts: readonly Act[];
  /** The model that promote takes. */
  version?: number;
  small?: boolean;
  onDone?: () => void;
}

export function Actions({ job, acts, version, small, onDone }: Props) {
  const t = useWords();
  const allowed = mayAs(useCell(session), "admin");
  const [open, setOpen] = useState<Act | null>(null);
  if (!allowed) return null;
  return (
    <div class="row-wrap">
      {acts.map((act) => (
        <Button key={act} icon={ICONS[act]} small={small ?? false} onClick={() => setOpen(act)}>
          {t(`act.${act}`)}
        </Button>
      ))}
      {open && (
        <Confirm
          job={job}
          act={open}
          version={version ?? null}
          onClose={() => setOpen(null)}
          onDone={() => {
            setOpen(null);
            onDone?.();
          }}
        />
      )}
    </div>
  );
}

interface ConfirmProps {
  job: JobName;
  act: Act;
  version: number | null;
  onClose: () => void;
  onDone: () => void;
}

function Confirm({ job, act, version, onClose, onDone }: ConfirmProps) {
  const t = useWords();
  const [reason, setReason] = useState("");
  const [model, setModel] = useState(version === null ? "" : String(version));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [key] = useState(randomId);
  const asksReason = act !== "resume";
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await ask(job, act, { reason: reason.trim(), version: model ? Number(model) : null }, key);
      toast(t("act.asked", { what: t(`act.${act}`), job: job.name }), "good");
      onDone();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`${t(`act.${act}`)} · ${job.name}`} onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <p class="soft">{t(`act.${act}.what` as Word, { version: model || "–" })}</p>
        {act === "deploy" && (
          <div class="field">
            <label for="act-model">{t("act.version")}</label>
            <input id="act-model" class="input" type="number" min="1" value={model} placeholder={t("act.lastCandidate")} onInput={(event) => setModel(event.currentTarget.value)} />
          </div>
        )}
        {asksReason && (
          <div class="field">
            <label for="act-reason">{t("act.reason")}</label>
            <input id="act-reason" class="input" required maxLength={1000} autofocus value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </div>
        )}
        {error !== undefined && <ErrorNotice error={error} />}
        <div class="dialog-foot">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button look="primary" type="submit" icon={ICONS[act]} disabled={busy || (asksReason && reason.trim() === "")}>
            {t(`act.${act}`)}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

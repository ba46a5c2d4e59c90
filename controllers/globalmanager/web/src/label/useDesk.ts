// The desk of a job for a view: opened with its outbox and drafts, closed without a loss.
import { useEffect, useState } from "preact/hooks";

import type { JobName } from "../api/job";
import { session, userName } from "../api/session";
import { cell, useCell, type Cell } from "../lib/cell";
import { remembered } from "../lib/settings";
import { openShelf } from "../lib/shelf";
import { toast, toastError } from "../ui/toasts";
import { t } from "../words";
import { wireOf } from "./annotation";
import { Desk, type DeskState } from "./desk";
import { DraftKeeper, type Draft, type DraftState } from "./drafts";
import { Outbox, type Entry } from "./outbox";
import { preload } from "./preload";
import { claim, giveBack, postAnswer, putDraft, withdraw } from "./tasks";

export interface OpenDesk {
  desk: Desk;
  outbox: Outbox;
  keeper: DraftKeeper;
  entries: Cell<readonly Entry[]>;
}

const PERIOD_MS = 15_000;
/** A lease lasts ten minutes; somebody may look at a picture for longer. */
const PROLONG_MS = 180_000;

async function openDesk(job: JobName, user: string): Promise<OpenDesk> {
  const entries = cell<readonly Entry[]>([]);
  const answers = await openShelf<Entry>("outbox");
  const drafts = await openShelf<Draft>("drafts");
  if (!answers.lasting) toast(t("label.noStore"), "bad");
  const parts: { desk?: Desk } = {};
  const show = (draft: DraftState) => {
    const state: Cell<DeskState> | undefined = parts.desk?.state;
    if (state) state.set({ ...state.get(), draft });
  };
  const outbox = new Outbox(
    answers.shelf,
    (entry) => postAnswer(entry.job, entry.sample, entry.key, entry.body),
    { changed: (now) => entries.set(now), sent: (entry, receipt) => parts.desk?.sent(entry, receipt) },
  );
  const keeper = new DraftKeeper(
    drafts.shelf,
    ({ sample, revision, kind, annotation }) =>
      putDraft(job, sample, { base_revision: revision, annotation: wireOf(annotation), kind }),
    { state: show, lost: (_draft, error) => toastError(error) },
  );
  const agreed = remembered(`nothing ${job.namespace}/${job.name}`);
  const service = { claim, giveBack, withdraw };
  const desk = new Desk(job, user, { service, outbox, keeper, preload, complain: toastError, agreed });
  parts.desk = desk;
  await outbox.load(user);
  return { desk, outbox, keeper, entries };
}

interface Opening {
  open: OpenDesk | null;
  error: unknown;
  retry: () => void;
}

/** `sample`: the one that was asked for comes first. Where it cannot be had there is an error, and no other one. */
export function useDesk(job: JobName, sample: string | undefined): Opening {
  const state = useCell(session);
  const user = userName(state);
  const [open, setOpen] = useState<OpenDesk | null>(null);
  const [error, setError] = useState<unknown>();
  const [turn, setTurn] = useState(0);
  const { namespace, name } = job;

  useEffect(() => {
    if (!user) return;
    let closed = false;
    setError(undefined);
    const begin = async () => {
      const found = await openDesk({ namespace, name }, user);
      if (sample) await found.desk.only(sample);
      if (closed) return;
      setOpen(found);
      void found.desk.refill();
    };
    begin().catch((failed: unknown) => !closed && setError(failed));
    return () => {
      closed = true;
      setOpen(null);
    };
  }, [namespace, name, user, sample, turn]);

  useEffect(() => {
    if (!open) return;
    return keepGoing(open);
  }, [open]);

  // After a sign-in over unfinished work everything that waits goes out.
  useEffect(() => {
    if (!open || state.kind !== "in") return;
    void open.outbox.flush();
    void open.keeper.flush();
    if (open.desk.state.get().error !== undefined) void open.desk.refill();
  }, [open, state.kind]);

  return { open, error, retry: () => setTurn((count) => count + 1) };
}

/** Sends when the network is back, asks again while there is nothing to do, and leaves nothing half done. */
function keepGoing({ desk, outbox, keeper }: OpenDesk): () => void {
  const online = () => void outbox.flush();
  const timer = setInterval(() => {
    if (document.visibilityState === "visible" && desk.state.get().tasks.length === 0) void desk.refill();
  }, PERIOD_MS);
  const holding = setInterval(() => document.visibilityState === "visible" && void desk.prolong(), PROLONG_MS);
  const leaving = () => {
    desk.finish();
    const { work } = desk.state.get();
    if (desk.task && work && work.past.length > 0) keeper.keepAtOnce(desk.draftOf(desk.task, work));
    void keeper.flush();
  };
  const hidden = () => document.visibilityState === "hidden" && leaving();
  addEventListener("online", online);
  addEventListener("pagehide", leaving);
  document.addEventListener("visibilitychange", hidden);
  return () => {
    clearInterval(timer);
    clearInterval(holding);
    removeEventListener("online", online);
    removeEventListener("pagehide", leaving);
    document.removeEventListener("visibilitychange", hidden);
    leaving();
  };
}

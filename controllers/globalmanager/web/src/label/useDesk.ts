// The desk of a job for a view: opened with its outbox and drafts, closed without a loss.
import { useEffect, useState } from "preact/hooks";

import type { JobName } from "../api/job";
import { session, userName } from "../api/session";
import { useCell, type Cell } from "../lib/cell";
import { remembered } from "../lib/settings";
import { openShelf } from "../lib/shelf";
import { toastError } from "../ui/toasts";
import { wireOf } from "./annotation";
import { Desk, type DeskState } from "./desk";
import { DraftKeeper, type Draft, type DraftState } from "./drafts";
import { asUser, postOf, type Post } from "./post";
import { preload } from "./preload";
import { claim, giveBack, putDraft, withdraw } from "./tasks";

export interface OpenDesk extends Post {
  desk: Desk;
  keeper: DraftKeeper;
}

const PERIOD_MS = 15_000;
/** A lease lasts ten minutes; somebody may look at a picture for longer. */
const PROLONG_MS = 180_000;

export async function openDesk(job: JobName, user: string): Promise<OpenDesk> {
  const post = await postOf(user);
  const drafts = await openShelf<Draft>("drafts");
  const parts: { desk?: Desk } = {};
  const show = (draft: DraftState) => {
    const state: Cell<DeskState> | undefined = parts.desk?.state;
    if (state) state.set({ ...state.get(), draft });
  };
  const keeper = new DraftKeeper(
    drafts.shelf,
    asUser(user, ({ sample, revision, kind, annotation }: Draft) =>
      putDraft(job, sample, { base_revision: revision, annotation: wireOf(annotation), kind })),
    { state: show, lost: (_draft, error) => toastError(error) },
  );
  const agreed = remembered(`nothing ${job.namespace}/${job.name}`);
  const service = { claim: asUser(user, claim), giveBack: asUser(user, giveBack), withdraw: asUser(user, withdraw) };
  const { outbox } = post;
  const desk = new Desk(job, user, { service, outbox, keeper, preload, complain: toastError, agreed });
  parts.desk = desk;
  return { ...post, desk, keeper };
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

  // After a sign-in over unfinished work the drafts go out; the answers do so in every view.
  useEffect(() => {
    if (!open || state.kind !== "in" || open.desk.user !== user) return;
    void open.keeper.flush();
    if (open.desk.state.get().error !== undefined) void open.desk.refill();
  }, [open, state.kind, user]);

  return { open, error, retry: () => setTurn((count) => count + 1) };
}

/** Hears of what was sent, asks again while there is nothing to do, and leaves nothing half done. */
function keepGoing({ desk, heard, keeper }: OpenDesk): () => void {
  const sent: Desk["sent"] = (entry, receipt) => desk.sent(entry, receipt);
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
  heard.add(sent);
  addEventListener("pagehide", leaving);
  document.addEventListener("visibilitychange", hidden);
  return () => {
    clearInterval(timer);
    clearInterval(holding);
    heard.delete(sent);
    removeEventListener("pagehide", leaving);
    document.removeEventListener("visibilitychange", hidden);
    leaving();
    void keeper.close();
  };
}

// Unfinished work: in the browser after each change, in the service at most every two seconds.
import { ApiError, isTemporary } from "../api/errors";
import { jobApi, type JobName } from "../api/job";
import type { Shelf } from "../lib/shelf";
import { opened, reopened, wireOf, type Annotation, type WireAnnotation, type Work } from "./annotation";
import type { Kind, Task } from "./tasks";

export const PAUSE_MS = 2000;

export interface Draft {
  key: string;
  user: string;
  job: JobName;
  sample: string;
  revision: number;
  kind: Kind | null;
  annotation: Annotation;
  at: number;
  /** The service has it: if it says something else now, that came later. */
  sent?: boolean;
}

export type DraftState = "saved" | "saving" | "here" | "lost";

export function draftKey(user: string, job: JobName, sample: string): string {
  return `${user} ${jobApi(job)} ${sample}`;
}

const LAST_SECOND = "sedna.unfinished";

export interface DraftEvents {
  state: (state: DraftState) => void;
  /** The claim went to somebody else. */
  lost: (draft: Draft, error: ApiError) => void;
}

export class DraftKeeper {
  #waiting: Draft | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | null = null;
  /** Of answers that were given, and of samples that were given back. */
  #forgotten = new Set<string>();
  #closed = false;

  constructor(
    private readonly shelf: Shelf<Draft>,
    private readonly send: (draft: Draft) => Promise<unknown>,
    private readonly events: DraftEvents,
    private readonly pauseMs = PAUSE_MS,
  ) {}

  /** Called after each change. */
  async keep(draft: Draft): Promise<void> {
    if (this.#waiting && this.#waiting.key !== draft.key) void this.flush();
    this.#waiting = draft;
    this.#forgotten.delete(draft.key);
    this.events.state("saving");
    this.#timer ??= setTimeout(() => void this.flush(), this.pauseMs);
    await this.shelf.put(draft.key, draft);
  }

  /** The page goes away: IndexedDB may not finish any more, this does. */
  keepAtOnce(draft: Draft): void {
    try {
      localStorage.setItem(LAST_SECOND, JSON.stringify(draft));
    } catch {
      // the last whole change is in the shelf
    }
  }

  /** A task as it is opened: the work on this browser, or the service's draft, whichever is newer; else afresh. */
  async open(user: string, job: JobName, task: Task): Promise<Work> {
    await this.#takeLastSecond();
    const here = await this.shelf.get(draftKey(user, job, task.sample_id));
    const there = drafted(task);
    if (here && here.revision === task.revision) {
      const elsewhere = here.sent && there && !sameBoxes(wireOf(here.annotation), there);
      if (!elsewhere) return reopened(here.annotation);
    }
    return opened(there, task.suggestion);
  }

  /** Answered, or given back: nothing is unfinished any more. */
  async forget(key: string): Promise<void> {
    if (this.#waiting?.key === key) {
      this.#waiting = null;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#forgotten.add(key);
    await this.#sending; // it would store the draft anew
    if (!this.#forgotten.has(key)) return; // taken back meanwhile, and worked on
    await this.shelf.remove(key);
    if (lastSecond()?.key === key) localStorage.removeItem(LAST_SECOND);
  }

  /** One more try to send; after it the next keeper goes on with what is in the browser. */
  close(): Promise<void> {
    this.#closed = true; // a late repetition would take the place of something newer
    return this.flush();
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const draft = this.#waiting;
    if (!draft) return;
    this.#waiting = null;
    this.#sending = this.#send(draft);
    await this.#sending;
  }

  async #send(draft: Draft): Promise<void> {
    try {
      await this.send(draft);
      if (!this.#waiting) this.events.state("saved");
      const kept = await this.shelf.get(draft.key);
      if (kept?.at === draft.at) await this.shelf.put(draft.key, { ...draft, sent: true });
    } catch (error) {
      // The answer was there first: nothing is lost, and nothing is to be tried again.
      if (this.#forgotten.has(draft.key) && (error instanceof ApiError || isTemporary(error))) return;
      if (isTemporary(error) || (error instanceof ApiError && error.status === 401)) {
        this.events.state("here");
        if (!this.#waiting && !this.#closed) this.#again(draft);
      } else if (error instanceof ApiError) {
        this.events.state("lost");
        this.events.lost(draft, error);
      } else {
        throw error;
      }
    }
  }

  #again(draft: Draft): void {
    this.#waiting = draft;
    this.#timer ??= setTimeout(() => void this.flush(), this.pauseMs * 2);
  }

  async #takeLastSecond(): Promise<void> {
    const draft = lastSecond();
    if (!draft) return;
    const kept = await this.shelf.get(draft.key);
    if (!kept || kept.at < draft.at) await this.shelf.put(draft.key, draft);
    localStorage.removeItem(LAST_SECOND);
  }
}

/** The service's draft of a task. */
export function drafted(task: Task): WireAnnotation | null {
  if (!task.draft) return null;
  const { boxes, label } = task.draft.annotation;
  return { boxes: boxes.map((box) => ({ ...box, label: box.label ?? 0 })), label: label ?? null };
}

function sameBoxes(a: WireAnnotation, b: WireAnnotation): boolean {
  const plain = ({ boxes, label }: WireAnnotation) =>
    JSON.stringify([label ?? null, boxes.map((box) => [box.x1, box.y1, box.x2, box.y2, box.label])]);
  return plain(a) === plain(b);
}

function lastSecond(): Draft | null {
  try {
    const text = localStorage.getItem(LAST_SECOND);
    return text === null ? null : (JSON.parse(text) as Draft);
  } catch {
    return null; // storage is refused, or half of it was written
  }
}

// What a person works on: the tasks that are claimed, the one on the screen, and where its work goes. No drawing here.
import { ApiError } from "../api/errors";
import { drawingUrl, sameJob, type JobName } from "../api/job";
import { cell, type Cell } from "../lib/cell";
import { randomId } from "../lib/ids";
import { opened, pendingOf, statementOf, wireOf, type Work } from "./annotation";
import { drafted, draftKey, type Draft, type DraftKeeper, type DraftState } from "./drafts";
import type { Entry, Outbox } from "./outbox";
import type { AnswerBody, AnswerKind, AnswerReceipt, Claims, Kind, Order, Task } from "./tasks";

/** Pictures that are claimed and loaded beyond the one on the screen. */
export const AHEAD = 3;
/** That the service lends to a person at a time. */
const MOST = 20;
/** Answers of this visit that may be taken back. Each holds its work with all steps. */
export const REMEMBERED = 20;

/** What Enter or X waits for: the same key again says yes. */
export type Question = "nothing" | "pending" | "discard" | "class";

export interface DeskState {
  tasks: readonly Task[];
  at: number;
  work: Work | null;
  kind: Kind;
  left: number;
  withOthers: number;
  nextFreeAt: string | null;
  loading: boolean;
  error: unknown;
  draft: DraftState;
  question: Question | null;
  order: Order | null;
  /** As the service calls the classes; none where the job does not know them. */
  classNames: readonly string[];
  /** How many answers this visit gave. */
  done: number;
  canTakeBack: boolean;
}

export interface DeskService {
  claim: (job: JobName, limit: number, order: Order | null, samples?: string[]) => Promise<Claims>;
  giveBack: (job: JobName, sample: string, skip: boolean) => Promise<void>;
  withdraw: (job: JobName, answer: number) => Promise<unknown>;
}

interface Answered {
  task: Task;
  work: Work;
  key: string;
  receipt: AnswerReceipt | null;
  /** Until it lies in the outbox. */
  delivery: Promise<void>;
}

export interface DeskParts {
  service: DeskService;
  outbox: Outbox;
  keeper: DraftKeeper;
  /** Loads and decodes a picture, so that it is there when it is wanted. */
  preload: (url: string) => void;
  /** Trouble that a person should know of. */
  complain: (error: unknown) => void;
  /** Whether "nothing here" by Enter was agreed to in this job. */
  agreed: { get(): boolean; set(): void };
  now?: () => number;
}

export class Desk {
  readonly state: Cell<DeskState>;
  /** Set by whoever draws: a box that is half drawn becomes whole, because the page goes away. */
  finish: () => void = () => undefined;
  #works = new Map<string, Work>();
  #answered: Answered[] = [];
  #shownAt = 0;
  #asking: Promise<void> | null = null;
  #takingBack = false;
  readonly #now: () => number;

  constructor(
    readonly job: JobName,
    readonly user: string,
    private readonly parts: DeskParts,
  ) {
    this.#now = parts.now ?? Date.now;
    this.state = cell<DeskState>({
      tasks: [], at: 0, work: null, kind: "boxes", left: 0, withOthers: 0, nextFreeAt: null,
      loading: true, error: undefined, draft: "saved", question: null, order: null, classNames: [], done: 0, canTakeBack: false,
    });
  }

  get task(): Task | null {
    const { tasks, at } = this.state.get();
    return tasks[at] ?? null;
  }

  /** Claims until enough are ahead. Called again after each answer; one request at a time. */
  refill(samples?: string[]): Promise<void> {
    if (!samples && this.state.get().tasks.length > AHEAD) return Promise.resolve();
    return this.#ask(samples);
  }

  /** Claims this one, or throws why it cannot be had. */
  async only(sample: string): Promise<void> {
    await this.#ask([sample]);
    const { error } = this.state.get();
    if (error !== undefined) throw error;
  }

  /** Somebody still looks: what is held stays held. */
  prolong(): Promise<void> {
    return this.#ask();
  }

  async #ask(samples?: string[]): Promise<void> {
    // A claim that is under way knows nothing of these.
    while (samples && this.#asking) await this.#asking;
    this.#asking ??= this.#claim(samples).finally(() => {
      this.#asking = null;
    });
    await this.#asking;
  }

  async setOrder(order: Order): Promise<void> {
    const { tasks } = this.state.get();
    this.#set({ order });
    // What nobody has begun goes back, so that the new order counts from the next picture on.
    const unbegun = tasks.filter((task) => !this.#begun(task.sample_id));
    const begun = tasks.filter((task) => !unbegun.includes(task));
    this.#set({ tasks: begun, at: 0, work: null, loading: true });
    void this.#show(0);
    try {
      await Promise.all(unbegun.map((task) => this.parts.service.giveBack(this.job, task.sample_id, false)));
    } catch (error) {
      this.parts.complain(error);
    }
    await this.refill();
  }

  setKind(kind: Kind): void {
    this.#set({ kind, question: null });
  }

  go(by: 1 | -1): void {
    const { tasks, at } = this.state.get();
    const next = Math.min(Math.max(at + by, 0), tasks.length - 1);
    if (next !== at) void this.#show(next);
  }

  /** A change of the work on the screen; drafts are written if it says something new. */
  change(how: (work: Work) => Work): void {
    const { work } = this.state.get();
    const task = this.task;
    if (!work || !task) return;
    const next = how(work);
    if (next === work) return;
    this.#works.set(task.sample_id, next);
    this.#set({ work: next, question: null });
    if (next.now !== work.now) void this.parts.keeper.keep(this.draftOf(task, next)).catch(this.parts.complain);
  }

  draftOf(task: Task, work: Work): Draft {
    const { user, job } = this;
    return {
      key: draftKey(user, job, task.sample_id),
      user, job,
      sample: task.sample_id,
      revision: task.revision,
      kind: this.state.get().kind,
      annotation: work.now,
      at: this.#now(),
    };
  }

  /** Enter. Asks once where an answer may be a slip; the second Enter means it. */
  submit(): void {
    const { work, kind, question } = this.state.get();
    if (!work) return;
    if (kind === "class") {
      if (work.now.label === null) return this.#set({ question: "class" });
      return this.#answer("class");
    }
    if (pendingOf(work.now) > 0 && question !== "pending") return this.#set({ question: "pending" });
    if (wireOf(work.now).boxes.length > 0) return this.#answer("boxes");
    if (!this.parts.agreed.get() && question !== "nothing" && question !== "pending") {
      return this.#set({ question: "nothing" });
    }
    if (question === "nothing") this.parts.agreed.set();
    this.#answer("nothing");
  }

  nothing(): void {
    const { work, question } = this.state.get();
    if (!work) return;
    if (wireOf(work.now).boxes.length > 0 && question !== "discard") return this.#set({ question: "discard" });
    this.#answer("nothing");
  }

  say(kind: "unsure" | "bad"): void {
    this.#answer(kind);
  }

  unask(): void {
    this.#set({ question: null });
  }

  /** Not now: it goes back, and this person is not asked for it again soon. */
  async skip(): Promise<void> {
    const task = this.task;
    if (!task) return;
    this.#leave(task);
    try {
      await this.parts.keeper.forget(draftKey(this.user, this.job, task.sample_id));
      await this.parts.service.giveBack(this.job, task.sample_id, true);
    } catch (error) {
      this.parts.complain(error);
    }
    await this.refill();
  }

  /** The last answer of this visit comes back as it was, if no round took it meanwhile. */
  async takeBack(): Promise<void> {
    const last = this.#answered.at(-1);
    if (!last || this.#takingBack) return;
    this.#takingBack = true;
    try {
      await last.delivery;
      if (!(await this.parts.outbox.recall(last.key)) && last.receipt) {
        await this.parts.service.withdraw(this.job, last.receipt.answer_id);
        this.#forget(last.key);
        await this.refill([last.task.sample_id]);
      } else {
        this.#forget(last.key);
      }
      this.#reopen(last);
    } catch (error) {
      this.parts.complain(error);
    } finally {
      this.#takingBack = false;
    }
  }

  /**
   * What was answered once is on the screen again, to be changed: a sample of this job, with what was drawn of it.
   * It is kept as a draft when this returns.
   *
   * @throws where the sample cannot be had, or the draft cannot be kept; nothing has changed then.
   */
  async takeUp(sample: string, work: Work): Promise<void> {
    await this.only(sample);
    const { tasks } = this.state.get();
    const task = tasks.find((one) => one.sample_id === sample);
    if (!task) throw new Error(`sample ${sample}: it was not claimed`);
    this.#works.set(sample, work);
    this.#set({ tasks: [task, ...tasks.filter((one) => one !== task)] });
    void this.#show(0); // at once: its work is known
    await this.parts.keeper.keep(this.draftOf(task, work));
  }

  /** An answer that the service did not take is given up: somebody may have the sample, this person too. */
  async giveUp(entry: Entry): Promise<void> {
    await this.parts.outbox.drop(entry.key);
    this.#prune();
    await this.parts.service.giveBack(entry.job, entry.sample, false);
    await this.refill();
  }

  /** The service has an answer; its id is needed to take it back. */
  sent(entry: Entry, receipt: AnswerReceipt): void {
    const answered = this.#answered.find((one) => one.key === entry.key);
    if (answered) answered.receipt = receipt;
  }

  #answer(kind: AnswerKind): void {
    const { work, done, left } = this.state.get();
    const task = this.task;
    if (!work || !task) return;
    const entry = this.#entry(task, work, kind);
    const delivery = this.#deliver(entry);
    this.#answered.push({ task, work, key: entry.key, receipt: null, delivery });
    this.#prune();
    this.#leave(task);
    this.#set({ done: done + 1, left: Math.max(0, left - 1), canTakeBack: true });
    void delivery.then(() => this.refill());
  }

  /** Until it lies in the outbox the draft is all there is: it goes after that, and nothing waits for its going. */
  async #deliver(entry: Entry): Promise<void> {
    try {
      await this.parts.outbox.add(entry);
    } catch (error) {
      this.parts.complain(error);
    }
    void this.parts.keeper.forget(draftKey(this.user, this.job, entry.sample)).catch(this.parts.complain);
  }

  #forget(key: string): void {
    this.#answered = this.#answered.filter((one) => one.key !== key);
  }

  /** What is on its way or has arrived may be taken back; of the many that arrived, the last. */
  #prune(): void {
    const waiting = new Set(this.parts.outbox.entries.map((entry) => entry.key));
    this.#answered = this.#answered.filter((one) => one.receipt || waiting.has(one.key)).slice(-REMEMBERED);
    this.#set({ canTakeBack: this.#answered.length > 0 });
  }

  #entry(task: Task, work: Work, kind: AnswerKind): Entry {
    const said = kind === "boxes" || kind === "class";
    const body: AnswerBody = {
      kind,
      annotation: said ? statementOf(work.now, kind) : null,
      base_revision: task.revision,
      shown_version: task.suggestion?.version ?? null,
      seconds: Math.round((this.#now() - this.#shownAt) / 100) / 10,
      undoes: work.undoes,
      class_names: this.state.get().classNames,
    };
    const { user, job } = this;
    return {
      key: randomId(), user, job, sample: task.sample_id, width: task.width, height: task.height, body,
      at: this.#now(), state: "waiting",
    };
  }

  /** Off the screen: the next one is there at once. */
  #leave(task: Task): void {
    this.#works.delete(task.sample_id);
    const { tasks, at } = this.state.get();
    const rest = tasks.filter((one) => one.sample_id !== task.sample_id);
    this.#set({ tasks: rest, work: null, question: null, loading: rest.length === 0 });
    void this.#show(Math.min(at, Math.max(rest.length - 1, 0)));
  }

  #reopen({ task, work }: Answered): void {
    const { tasks, done, left } = this.state.get();
    const fresh = tasks.find((one) => one.sample_id === task.sample_id) ?? task;
    const rest = tasks.filter((one) => one.sample_id !== task.sample_id);
    this.#works.set(task.sample_id, { ...work, selected: null });
    this.#set({
      tasks: [fresh, ...rest],
      done: Math.max(0, done - 1),
      left: left + 1,
      canTakeBack: this.#answered.length > 0,
    });
    void this.#show(0);
  }

  async #claim(samples?: string[]): Promise<void> {
    const { order } = this.state.get();
    try {
      const found = await this.parts.service.claim(this.job, this.#wanted(), order, samples);
      this.#take(found, samples ?? []);
    } catch (error) {
      // A reader of the state shows it; the next answer or the clock asks again.
      this.#set({ error, loading: false });
      if (error instanceof ApiError && error.status === 401) return;
    }
  }

  /** The service counts what this person holds, and that is also what was answered and not taken. */
  #wanted(): number {
    const stuck = this.parts.outbox.entries.filter(({ job, state }) => state !== "waiting" && sameJob(job, this.job));
    return Math.min(AHEAD + 1 + stuck.length, MOST);
  }

  #take(found: Claims, wanted: readonly string[]): void {
    this.#prune();
    const sent = new Set(this.#answered.map((one) => one.task.sample_id));
    for (const entry of this.parts.outbox.entries) sent.add(entry.sample);
    for (const sample of wanted) sent.delete(sample);
    const { tasks: before, at } = this.state.get();
    // One that was asked for by name may have another label by now than when it was claimed.
    const tasks = before.map((task) => found.tasks.find((one) => wanted.includes(one.sample_id) && one.sample_id === task.sample_id) ?? task);
    const known = new Set(tasks.map((task) => task.sample_id));
    const fresh = found.tasks.filter((task) => !known.has(task.sample_id) && !sent.has(task.sample_id));
    const all = [...tasks, ...fresh];
    for (const task of fresh) this.parts.preload(drawingUrl(this.job, task.sample_id));
    this.#set({
      tasks: all,
      left: found.left,
      withOthers: found.with_others,
      nextFreeAt: found.next_free_at,
      classNames: found.class_names,
      loading: false,
      error: undefined,
    });
    if (tasks.length === 0 && all.length > 0) void this.#show(Math.min(at, all.length - 1));
  }

  async #show(at: number): Promise<void> {
    const task = this.state.get().tasks[at];
    if (!task) return this.#set({ at: 0, work: null });
    this.#shownAt = this.#now();
    const kind = task.kind ?? this.state.get().kind;
    const kept = this.#works.get(task.sample_id);
    this.#set({ at, kind, work: kept ?? null, question: null });
    if (kept) return;
    let work: Work;
    try {
      work = await this.parts.keeper.open(this.user, this.job, task);
    } catch (error) {
      this.parts.complain(error); // the browser's store fails: the service's draft is there
      work = opened(drafted(task), task.suggestion);
    }
    if (this.#works.has(task.sample_id)) return;
    this.#works.set(task.sample_id, work);
    if (this.task?.sample_id === task.sample_id) this.#set({ work });
  }

  #begun(sample: string): boolean {
    return (this.#works.get(sample)?.past.length ?? 0) > 0;
  }

  #set(change: Partial<DeskState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}

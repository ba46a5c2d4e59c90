// Answers on their way. Kept in the browser until the service has them for good: by a reload, a lost connection or an
// ended session nothing is lost. The key of an entry makes a repeated POST harmless.
import { ApiError, isTemporary } from "../api/errors";
import type { JobName } from "../api/job";
import type { Shelf } from "../lib/shelf";
import { backOff } from "../live/stream";
import type { AnswerBody, AnswerReceipt } from "./tasks";

export interface Entry {
  key: string;
  user: string;
  job: JobName;
  sample: string;
  /** Of the picture, for the two versions of a conflict side by side. */
  width: number;
  height: number;
  body: AnswerBody;
  /** Milliseconds; the oldest goes first. */
  at: number;
  /** waiting: to be sent. conflict: somebody changed it meanwhile. refused: the service says why not. */
  state: "waiting" | "conflict" | "refused";
  message?: string;
  current?: unknown;
}

export type Send = (entry: Entry) => Promise<AnswerReceipt>;
type Timer = (work: () => void, ms: number) => void;

export interface OutboxEvents {
  changed: (entries: readonly Entry[]) => void;
  sent: (entry: Entry, receipt: AnswerReceipt) => void;
  /** What nobody foresaw, such as a store of the browser that fails. The answer is safe. */
  trouble: (error: unknown) => void;
}

export class Outbox {
  #entries: Entry[] = [];
  #sending = false;
  #run: Promise<void> = Promise.resolve();
  /** Somebody asked for it while it was sending: a sign-in may have come during an attempt that then fails. */
  #asked = false;
  /** The attempt that is under way. */
  #attempt: Promise<boolean> | null = null;
  #tries = 0;
  #timed = false;

  constructor(
    private readonly shelf: Shelf<Entry>,
    private readonly send: Send,
    private readonly events: OutboxEvents,
    private readonly later: Timer = (work, ms) => void setTimeout(work, ms),
  ) {}

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** What is left of earlier visits; it goes out at once. Entries of other people stay where they are. */
  async load(user: string): Promise<void> {
    const kept = await this.shelf.all();
    const known = new Set(this.#entries.map((entry) => entry.key));
    const mine = kept.filter((entry) => entry.user === user && !known.has(entry.key));
    this.#show([...mine, ...this.#entries].sort((a, b) => a.at - b.at));
    void this.flush();
  }

  /** Stored first, then sent: when this returns, a crash of the browser loses nothing. */
  async add(entry: Entry): Promise<void> {
    this.#show([...this.#entries, entry]);
    try {
      await this.shelf.put(entry.key, entry);
    } finally {
      void this.flush(); // a full disk must not keep the answer from the service
    }
  }

  /** Sends what waits, oldest first, and stops where nobody answers or nobody is signed in. Ends with the sending. */
  flush(): Promise<void> {
    if (this.#sending) this.#asked = true;
    else this.#run = this.#sendAll();
    return this.#run;
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    this.#asked = false;
    try {
      for (;;) {
        const entry = this.#entries.find((one) => one.state === "waiting");
        if (!entry) return;
        this.#attempt = this.#try(entry);
        if (await this.#attempt) continue;
        if (!this.#asked) return;
        this.#asked = false;
      }
    } finally {
      this.#sending = false;
    }
  }

  /** Back out of the box, if it has not gone out: one that is on its way right now is waited for. */
  async recall(key: string): Promise<boolean> {
    await this.#attempt?.catch(() => false);
    if (!this.#entries.some((entry) => entry.key === key)) return false;
    await this.drop(key);
    return true;
  }

  async drop(key: string): Promise<void> {
    this.#show(this.#entries.filter((entry) => entry.key !== key));
    await this.shelf.remove(key);
  }

  /** A conflict or refusal that somebody has settled: the new body goes under a new key. */
  async replace(key: string, entry: Entry): Promise<void> {
    await this.add(entry);
    await this.drop(key);
  }

  async #try(entry: Entry): Promise<boolean> {
    try {
      const receipt = await this.send(entry);
      this.#tries = 0;
      this.events.sent(entry, receipt);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return false; // the sign-in calls flush
      if (error instanceof ApiError && !isTemporary(error)) return this.#settle(entry, error);
      // What nobody foresaw is tried again too: the key makes a repeated answer harmless, a box that stands still is not.
      if (!isTemporary(error) && this.#tries === 0) this.events.trouble(error);
      this.#again();
      return false;
    }
    // Where the browser cannot remove it, the next visit sends it again, under the same key.
    await this.drop(entry.key).catch(this.events.trouble);
    return true;
  }

  #again(): void {
    if (this.#timed) return;
    this.#timed = true;
    this.later(() => {
      this.#timed = false;
      void this.flush();
    }, backOff(this.#tries++));
  }

  /** It waits for a person, not for the service: the ones after it go on. */
  async #settle(entry: Entry, error: ApiError): Promise<true> {
    const hint = error.hint ? ` (${error.hint})` : "";
    // Without the other version there is nothing to choose from: such as an answer that was given already.
    const state = error.status === 409 && error.problem.current ? "conflict" : "refused";
    const settled: Entry = { ...entry, state, message: `${error.message}${hint}`, current: error.problem.current };
    this.#show(this.#entries.map((one) => (one.key === entry.key ? settled : one)));
    await this.shelf.put(entry.key, settled).catch(this.events.trouble);
    return true;
  }

  #show(entries: Entry[]): void {
    this.#entries = entries;
    this.events.changed(entries);
  }
}

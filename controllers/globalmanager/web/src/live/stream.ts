// Events of the service, one stream per browser: a tab leads and tells the others, which saves their connections.
import { ApiError, errorOf, OfflineError } from "../api/errors";
import type { JobName } from "../api/job";
import { sessionEnded } from "../api/session";
import { cell } from "../lib/cell";
import { EventParser, type ServerEvent } from "./sse";

export interface LiveEvent {
  id: number;
  job: JobName | null;
  at: string;
  kind: string;
  level: "info" | "warning" | "error";
  message: string;
  data: Record<string, unknown>;
}

export type LiveState = "connecting" | "live" | "waiting" | "off";

export const liveState = cell<LiveState>("off");

type Listener = (event: LiveEvent) => void;
const listeners = new Set<Listener>();

export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const CHANNEL = "sedna-events";
const LONGEST_WAIT_MS = 30_000;
/** The service says that it is alive every 15 s. After three of them the connection is dead, whatever the system says. */
export const SILENCE_MS = 45_000;

/** Milliseconds before try n (0, 1, ...): 1, 2, 4 ... 30 s. */
export function backOff(tries: number): number {
  return Math.min(LONGEST_WAIT_MS, 1000 * 2 ** Math.min(tries, 5));
}

function tell(event: LiveEvent): void {
  for (const listener of [...listeners]) listener(event);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** A body piece by piece; an error where none comes for too long. */
export async function* pieces(body: ReadableStream<Uint8Array>, silence = SILENCE_MS): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      const silent = new Promise<never>((_, fail) => {
        late = setTimeout(() => fail(new OfflineError(`nothing came for ${silence / 1000} s`)), silence);
      });
      const { done, value } = await Promise.race([reader.read(), silent]);
      clearTimeout(late);
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(late);
    void reader.cancel().catch(() => undefined); // the connection goes too; its own error has been thrown
  }
}

class Reader {
  #last = "";
  #tries = 0;

  constructor(
    private readonly signal: AbortSignal,
    private readonly pass: (event: LiveEvent) => void,
  ) {}

  async run(): Promise<void> {
    while (!this.signal.aborted) {
      try {
        await this.#follow();
        this.#tries = 0; // it ended in order: the service restarts, or wants us to come again
      } catch (error) {
        if (this.signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) {
          sessionEnded(); // the sign-in starts a new stream
          return;
        }
      }
      liveState.set("waiting");
      await sleep(backOff(this.#tries++), this.signal);
    }
  }

  async #follow(): Promise<void> {
    liveState.set(this.#tries ? "waiting" : "connecting");
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#last) headers["Last-Event-ID"] = this.#last;
    let response: Response;
    try {
      response = await fetch("/api/v1/events", { headers, signal: this.signal, cache: "no-store" });
    } catch (error) {
      throw new OfflineError(error);
    }
    if (!response.ok || !response.body) throw await errorOf(response);
    liveState.set("live");
    this.#tries = 0;
    const parser = new EventParser((event) => this.#take(event));
    const decoder = new TextDecoder();
    for await (const piece of pieces(response.body)) parser.push(decoder.decode(piece, { stream: true }));
  }

  #take(event: ServerEvent): void {
    if (event.id) this.#last = event.id;
    try {
      this.pass(JSON.parse(event.data) as LiveEvent);
    } catch (error) {
      console.error("an event that is not JSON", event, error);
    }
  }
}

/** Begin to listen; the function that comes back ends it. */
export function startLive(): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = (message: MessageEvent<LiveEvent>) => {
    liveState.set("live");
    tell(message.data);
  };
  let ending = new AbortController();
  const lead = async (signal: AbortSignal) => {
    const pass = (event: LiveEvent) => {
      tell(event);
      channel.postMessage(event);
    };
    await new Reader(signal, pass).run();
  };
  const begin = () => {
    ending = new AbortController();
    const { signal } = ending;
    // Without a secure context there are no locks: then every visible tab has a stream of its own.
    if (!("locks" in navigator)) return void lead(signal);
    liveState.set("live"); // until this tab leads, the one that does tells it
    navigator.locks.request(CHANNEL, { signal }, () => lead(signal)).catch(() => undefined);
  };
  const watch = () => {
    ending.abort();
    if (document.visibilityState === "visible") begin();
    else liveState.set("off");
  };
  watch();
  document.addEventListener("visibilitychange", watch);
  return () => {
    document.removeEventListener("visibilitychange", watch);
    ending.abort();
    channel.close();
    liveState.set("off");
  };
}

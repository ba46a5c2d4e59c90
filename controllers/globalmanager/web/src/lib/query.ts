// Data of the service for a view: loaded at once, again on events and at intervals, and kept while it is renewed.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { OfflineError } from "../api/errors";
import { session } from "../api/session";
import { onEvent, type LiveEvent } from "../live/stream";
import { useCell } from "./cell";

export interface Query<T> {
  data: T | undefined;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

interface Options {
  /** Load again every so many seconds while the page is visible. */
  every?: number;
  /** Load again after these events. */
  on?: (event: LiveEvent) => boolean;
}

const EVENT_PAUSE_MS = 150;
/** A load that hangs would keep every later one waiting. */
const LONGEST_MS = 60_000;

const idle = (): void => undefined;

/** While it runs, further calls are one more run after it: a slow service is asked no more often than it answers. */
export function oneAtATime(run: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const begin = () => {
    running = true;
    again = false;
    void run().finally(() => {
      running = false;
      if (again) begin();
    });
  };
  return () => {
    if (running) again = true;
    else begin();
  };
}

/** `key` names what is loaded: another key drops the old data, null loads nothing. */
export function useQuery<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  options: Options = {},
): Query<T> {
  const [state, show] = useState<{ key: string | null; data?: T; error?: unknown; loading: boolean }>({
    key,
    loading: key !== null,
  });
  const ask = useRef(idle);
  const signedIn = useCell(session).kind === "in";
  const latest = useRef({ load, options });
  latest.current = { load, options };

  const reload = useCallback(() => ask.current(), []);

  useEffect(() => {
    if (key === null || !signedIn) return;
    const ending = new AbortController();
    const { signal } = ending;
    ask.current = oneAtATime(async () => {
      if (signal.aborted) return;
      show((old) => (old.key === key ? { ...old, loading: true } : { key, loading: true }));
      try {
        const data = await latest.current.load(AbortSignal.any([signal, AbortSignal.timeout(LONGEST_MS)]));
        if (!signal.aborted) show({ key, data, loading: false });
      } catch (error) {
        const late = error instanceof DOMException && error.name === "TimeoutError";
        if (!signal.aborted) show((old) => ({ ...old, key, error: late ? new OfflineError(error) : error, loading: false }));
      }
    });
    ask.current();
    return () => {
      ask.current = idle;
      ending.abort();
    };
  }, [key, signedIn]);

  const { every } = options;
  useEffect(() => {
    if (!every || key === null) return;
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), every * 1000);
    return () => clearInterval(timer);
  }, [every, key, reload]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onEvent((event) => {
      if (!latest.current.options.on?.(event)) return;
      clearTimeout(timer); // events come in bursts
      timer = setTimeout(reload, EVENT_PAUSE_MS);
    });
    return () => (clearTimeout(timer), stop());
  }, [reload]);

  const fresh = state.key === key;
  return {
    data: fresh ? state.data : undefined,
    error: fresh ? state.error : undefined,
    loading: fresh ? state.loading : key !== null,
    reload,
  };
}

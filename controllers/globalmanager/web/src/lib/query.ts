// Data of the service for a view: loaded at once, again on events and at intervals, and kept while it is renewed.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

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
  const [turn, setTurn] = useState(0);
  const signedIn = useCell(session).kind === "in";
  const latest = useRef({ load, options });
  latest.current = { load, options };

  const reload = useCallback(() => setTurn((count) => count + 1), []);

  useEffect(() => {
    if (key === null || !signedIn) return;
    const ending = new AbortController();
    show((old) => (old.key === key ? { ...old, loading: true } : { key, loading: true }));
    latest.current.load(ending.signal).then(
      (data) => !ending.signal.aborted && show({ key, data, loading: false }),
      (error: unknown) => {
        if (!ending.signal.aborted) show((old) => ({ ...old, key, error, loading: false }));
      },
    );
    return () => ending.abort();
  }, [key, turn, signedIn]);

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

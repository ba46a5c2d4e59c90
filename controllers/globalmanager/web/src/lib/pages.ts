// A long list that is read page by page while somebody scrolls.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import type { Paged } from "../api/types";

export interface Pages<T> {
  items: readonly T[];
  total: number | null;
  loading: boolean;
  error: unknown;
  /** The last page is here. */
  whole: boolean;
  more: () => void;
  reload: () => void;
}

type Load<T> = (cursor: string | null, signal: AbortSignal) => Promise<Paged<T> & { total?: number | null }>;

interface State<T> {
  items: readonly T[];
  total: number | null;
  next: string | null;
  loading: boolean;
  error: unknown;
}

/** `key` names the list; another one begins anew. */
export function usePages<T>(key: string, load: Load<T>): Pages<T> {
  const empty: State<T> = { items: [], total: null, next: "", loading: true, error: undefined };
  const [state, show] = useState<State<T>>(empty);
  const [turn, setTurn] = useState(0);
  const latest = useRef({ load, state });
  latest.current = { load, state };
  const ending = useRef(new AbortController());
  const busy = useRef(false);

  const fetchPage = useCallback(async (cursor: string | null) => {
    if (busy.current) return;
    busy.current = true;
    const { signal } = ending.current;
    show((old) => ({ ...old, loading: true, error: undefined }));
    try {
      const page = await latest.current.load(cursor, signal);
      if (signal.aborted) return;
      show((old) => ({
        items: cursor === null ? page.items : [...old.items, ...page.items],
        total: page.total ?? (cursor === null ? null : old.total),
        next: page.next ?? null,
        loading: false,
        error: undefined,
      }));
    } catch (error) {
      if (!signal.aborted) show((old) => ({ ...old, loading: false, error }));
    } finally {
      if (!signal.aborted) busy.current = false;
    }
  }, []);

  useEffect(() => {
    ending.current = new AbortController();
    busy.current = false;
    show(empty);
    void fetchPage(null);
    return () => ending.current.abort();
  }, [key, turn, fetchPage]);

  const more = useCallback(() => {
    const { next, loading, error } = latest.current.state;
    if (next && !loading && error === undefined) void fetchPage(next);
  }, [fetchPage]);

  return {
    items: state.items,
    total: state.total,
    loading: state.loading,
    error: state.error,
    whole: state.next === null,
    more,
    reload: useCallback(() => setTurn((count) => count + 1), []),
  };
}

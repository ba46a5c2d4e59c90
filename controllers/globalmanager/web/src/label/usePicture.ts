// A picture that does not load: why, and again as soon as it may.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { apiFetch } from "../api/client";
import { ApiError, isTemporary } from "../api/errors";
import { session } from "../api/session";
import { useCell } from "../lib/cell";
import type { Action } from "./keys";

export interface Failure {
  /** The reason is not known yet. */
  asking?: boolean;
  /** What the service says; none: it sends a picture that this browser cannot show. */
  error?: unknown;
  /** It is of no use to anybody, as far as the service can tell. */
  spoilt: boolean;
}

export interface Picture {
  failure: Failure | null;
  /** For `key`: another one makes the browser load it again. */
  turn: number;
  onError: () => void;
  retry: () => void;
}

export function failureOf(error: unknown): Failure {
  const final = error instanceof ApiError && !isTemporary(error) && error.status < 500;
  return { error, spoilt: final && error.status !== 401 && error.status !== 403 };
}

/** Nobody answers for a picture that nobody sees; that it is bad is said where the service cannot give it. */
export function mayDo(what: Action["do"], failure: Failure | null): boolean {
  if (failure === null) return true;
  if (what === "bad") return failure.spoilt;
  return what !== "submit" && what !== "nothing";
}

/** The service's own words: an image element tells that it failed, and not why. */
async function askWhy(url: string): Promise<Failure> {
  try {
    const response = await apiFetch(new Request(new URL(url, location.href)));
    await response.body?.cancel();
    return { spoilt: false };
  } catch (error) {
    return failureOf(error);
  }
}

export function usePicture(url: string, told?: (failure: Failure | null) => void): Picture {
  const [failure, setFailure] = useState<Failure | null>(null);
  const [turn, setTurn] = useState(0);
  const signedIn = useCell(session).kind === "in";
  const latest = useRef({ url, turn });
  latest.current = { url, turn };

  const retry = useCallback(() => {
    setFailure(null);
    setTurn((count) => count + 1);
  }, []);
  const onError = useCallback(() => {
    const asked = latest.current;
    setFailure({ asking: true, spoilt: false }); // at once: no answer goes out while it is asked
    void askWhy(asked.url).then((found) => {
      const now = latest.current;
      if (now.url === asked.url && now.turn === asked.turn) setFailure(found);
    });
  }, []);

  useEffect(() => setFailure(null), [url]);
  useEffect(() => told?.(failure), [told, failure]);
  const failed = failure !== null;
  useEffect(() => {
    if (!failed) return;
    addEventListener("online", retry);
    return () => removeEventListener("online", retry);
  }, [failed, retry]);
  const before = useRef(signedIn);
  useEffect(() => {
    if (signedIn && !before.current && failed) retry();
    before.current = signedIn;
  }, [signedIn, failed, retry]);

  return { failure, turn, onError, retry };
}

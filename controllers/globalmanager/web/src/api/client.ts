// The one way to the service: CSRF header, problems as errors, the end of a session noticed.
import createClient from "openapi-fetch";

import { ApiError, errorOf, isStaleWord, OfflineError } from "./errors";
import type { paths } from "./schema";
import { csrfHeader, renewed, sessionEnded } from "./session";

const SAFE = new Set(["GET", "HEAD"]);

/** fetch for /api. Anything but 2xx is thrown: ApiError, or OfflineError where nobody answered. */
export async function apiFetch(request: Request): Promise<Response> {
  if (SAFE.has(request.method)) return send(request);
  const again = request.clone(); // a body can be read once
  try {
    return await send(marked(request));
  } catch (error) {
    if (!isStaleWord(error)) throw error;
  }
  if (await renewed(again.signal)) return send(marked(again));
  const detail = "somebody else has signed in on this browser";
  throw new ApiError(401, { title: "Unauthorized", status: 401, detail });
}

function marked(request: Request): Request {
  for (const [name, value] of Object.entries(csrfHeader())) request.headers.set(name, value);
  return request;
}

async function send(request: Request): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new OfflineError(error);
  }
  if (response.ok) return response;
  if (response.status === 401) sessionEnded();
  throw await errorOf(response);
}

const origin = typeof location === "undefined" ? "http://localhost" : location.origin;

/** Typed by the service's own description. */
export const api = createClient<paths>({ baseUrl: origin, fetch: apiFetch });

/** The body of an answer of `api`; apiFetch has thrown everything that is not 2xx. */
export async function body<T>(answer: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  return (await answer).data as T;
}

interface Extra {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** A service that says nothing for so long is down, or the connection is. */
export const PATIENCE_MS = 20_000;

/**
 * A call by address, where the types come from the caller.
 *
 * @throws ApiError the service says no.
 * @throws OfflineError nobody answers in time, or the answer breaks off, or something else than the service answers.
 */
export async function call<T>(method: string, path: string, extra: Extra = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", ...extra.headers };
  const init: RequestInit = { method, headers };
  if (extra.body !== undefined) {
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(extra.body);
  }
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  init.signal = extra.signal ? AbortSignal.any([extra.signal, patience.signal]) : patience.signal;
  try {
    const response = await apiFetch(new Request(`${origin}/api/v1${path}`, init));
    return (response.status === 204 ? undefined : await response.json()) as T;
  } catch (error) {
    if (extra.signal?.aborted || error instanceof ApiError || error instanceof OfflineError) throw error;
    throw new OfflineError(error);
  } finally {
    clearTimeout(timer);
  }
}

// Who is signed in. The cookie is HttpOnly: the page knows only what the service says about it.
import { cell } from "../lib/cell";
import { CSRF, errorOf, isStaleWord, OfflineError } from "./errors";

export type Role = "viewer" | "labeller" | "admin";

export interface Session {
  user: string;
  role: Role;
  csrf: string;
  expires_at: string;
}

/** asking: not known yet. ended: it was signed in, and the work on the screen waits for a new sign-in. */
export type SessionState =
  | { kind: "asking" }
  | { kind: "none" }
  | { kind: "in"; session: Session }
  | { kind: "ended"; user: string };

export const session = cell<SessionState>({ kind: "asking" });

const PATH = "/api/v1/session";

async function send(init: RequestInit): Promise<Response> {
  try {
    return await fetch(PATH, { ...init, headers: { Accept: "application/json", ...init.headers } });
  } catch (error) {
    throw new OfflineError(error);
  }
}

export async function loadSession(): Promise<void> {
  const response = await send({});
  if (response.status === 401) return session.set({ kind: "none" });
  if (!response.ok) throw await errorOf(response);
  session.set({ kind: "in", session: await read(response) });
}

/**
 * The word of the cookie's session, which another tab may have changed by a sign-in. True: there is a new word of the
 * same person. Otherwise the session has ended here, and the work on the screen waits for its owner.
 */
export async function renewed(signal?: AbortSignal): Promise<boolean> {
  const user = userName(session.get());
  const response = await send({ cache: "no-store", ...(signal && { signal }) });
  if (!response.ok && response.status !== 401) throw await errorOf(response);
  const found = response.ok ? await read(response) : null;
  if (found === null || found.user !== user) {
    sessionEnded();
    return false;
  }
  session.set({ kind: "in", session: found });
  return true;
}

async function read(response: Response): Promise<Session> {
  try {
    return (await response.json()) as Session;
  } catch (error) {
    throw new OfflineError(error); // the connection broke off
  }
}

export async function signIn(proof: { code: string } | { token: string }): Promise<void> {
  const body = JSON.stringify(proof);
  const response = await send({ method: "POST", body, headers: { "Content-Type": "application/json" } });
  if (!response.ok) throw await errorOf(response);
  session.set({ kind: "in", session: await read(response) });
}

export async function signOut(): Promise<void> {
  const leave = () => send({ method: "DELETE", headers: csrfHeader() });
  let response = await leave();
  if (!response.ok && response.status !== 401) {
    const error = await errorOf(response);
    if (!isStaleWord(error)) throw error;
    if (!(await renewed())) return session.set({ kind: "none" }); // the cookie is somebody else's by now
    response = await leave();
    if (!response.ok && response.status !== 401) throw await errorOf(response);
  }
  session.set({ kind: "none" });
}

export function csrfHeader(): Record<string, string> {
  const now = session.get();
  return now.kind === "in" ? { [CSRF]: now.session.csrf } : {};
}

/** A request was answered with 401. */
export function sessionEnded(): void {
  const now = session.get();
  if (now.kind === "in") session.set({ kind: "ended", user: now.session.user });
}

const RANK: Record<Role, number> = { viewer: 0, labeller: 1, admin: 2 };

export function mayAs(state: SessionState, needed: Role): boolean {
  return state.kind === "in" && RANK[state.session.role] >= RANK[needed];
}

/** The name that drafts are kept under; it outlives the session. */
export function userName(state: SessionState): string {
  if (state.kind === "in") return state.session.user;
  return state.kind === "ended" ? state.user : "";
}

import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { call } from "./client";
import { ApiError, isTemporary } from "./errors";
import { session, signOut, type Session } from "./session";

const anna = (csrf: string): Session => ({ user: "anna", role: "labeller", csrf, expires_at: "2030-01-01T00:00:00Z" });
const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });
const stale = () => json(403, { title: "Forbidden", status: 403, detail: "the page's own mark", where: "X-CSRF-Token" });

interface Seen { method: string; path: string; word: string | null; body: string }

/** A service whose session has the word "new"; GET /session says whose it is. */
function service(owner: () => Response, accepts = "new"): Seen[] {
  const seen: Seen[] = [];
  vi.stubGlobal("fetch", async (target: Request | string, init?: RequestInit) => {
    const request = target instanceof Request ? target : new Request(new URL(target, "http://localhost"), init);
    const { pathname: path } = new URL(request.url);
    const word = request.headers.get("X-CSRF-Token");
    seen.push({ method: request.method, path, word, body: await request.text() });
    if (request.method === "GET" && path === "/api/v1/session") return owner();
    if (request.method !== "GET" && word !== accepts) return stale();
    return json(200, { done: true });
  });
  return seen;
}

beforeEach(() => session.set({ kind: "in", session: anna("old") }));
afterEach(() => vi.unstubAllGlobals());

it("takes the session's new word after a sign-in elsewhere, and repeats the request whole", async () => {
  const seen = service(() => json(200, anna("new")));
  await expect(call("POST", "/things", { body: { a: 1 } })).resolves.toEqual({ done: true });
  expect(seen).toMatchObject([
    { method: "POST", path: "/api/v1/things", word: "old", body: '{"a":1}' },
    { method: "GET", path: "/api/v1/session" },
    { method: "POST", path: "/api/v1/things", word: "new", body: '{"a":1}' },
  ]);
  expect(session.get()).toMatchObject({ kind: "in", session: { csrf: "new" } });
});

it("sends nothing under the name of somebody else who has signed in: the work waits for its owner", async () => {
  const seen = service(() => json(200, { ...anna("new"), user: "ben" }));
  await expect(call("POST", "/things", { body: {} })).rejects.toMatchObject({ status: 401 });
  expect(seen.filter((one) => one.method === "POST")).toHaveLength(1);
  expect(session.get()).toEqual({ kind: "ended", user: "anna" });
});

it("waits for a sign-in where the session is gone", async () => {
  service(() => json(401, { title: "Unauthorized", status: 401, detail: "no session" }));
  await expect(call("POST", "/things")).rejects.toMatchObject({ status: 401 });
  expect(session.get()).toEqual({ kind: "ended", user: "anna" });
});

it("repeats once; after that the same request may succeed later, and no answer is refused for it", async () => {
  const seen = service(() => json(200, anna("other")));
  const error = await call("POST", "/things").catch((failed: unknown) => failed);
  expect(seen.filter((one) => one.method === "POST")).toHaveLength(2);
  expect(error).toBeInstanceOf(ApiError);
  expect(isTemporary(error)).toBe(true);
});

it("leaves another 403 as it is", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(json(403, { title: "", status: 403, detail: "an admin may", where: "role" })));
  const error = await call("POST", "/things").catch((failed: unknown) => failed);
  expect(error).toMatchObject({ status: 403 });
  expect(isTemporary(error)).toBe(false);
});

it("signs out with the new word too", async () => {
  const seen = service(() => json(200, anna("new")));
  await signOut();
  expect(seen.map(({ method, word }) => [method, word])).toEqual([["DELETE", "old"], ["GET", null], ["DELETE", "new"]]);
  expect(session.get()).toEqual({ kind: "none" });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { call, PATIENCE_MS } from "./client";
import { ApiError, OfflineError } from "./errors";

const serve = (answer: (request: Request) => Promise<Response>) => vi.stubGlobal("fetch", vi.fn(answer));
/** As the browser's: it ends when it is told to, and not before. */
const hanging = (request: Request) =>
  new Promise<Response>((_, reject) => request.signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a call", () => {
  it("gives the body, or nothing where there is none", async () => {
    serve(() => Promise.resolve(new Response('{"n": 1}')));
    expect(await call("GET", "/home")).toEqual({ n: 1 });
    serve(() => Promise.resolve(new Response(null, { status: 204 })));
    expect(await call("DELETE", "/home")).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
  it("takes the page of a proxy for no answer", async () => {
    serve(() => Promise.resolve(new Response("<html>sign in to the network</html>")));
    await expect(call("POST", "/home")).rejects.toBeInstanceOf(OfflineError);
  });
  it("takes an answer that breaks off for none", async () => {
    serve(() => Promise.resolve(Object.assign(new Response("{"), { json: () => Promise.reject(new TypeError("terminated")) })));
    await expect(call("POST", "/home")).rejects.toBeInstanceOf(OfflineError);
  });
  it("waits for the service, and not for ever", async () => {
    serve(hanging);
    const asked = expect(call("POST", "/home")).rejects.toBeInstanceOf(OfflineError);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    await asked;
  });
  it("ends with its caller, which has not lost a connection", async () => {
    serve(hanging);
    const stop = new AbortController();
    const asked = expect(call("GET", "/home", { signal: stop.signal })).rejects.toMatchObject({ name: "AbortError" });
    stop.abort();
    await asked;
  });
  it("says what the service says", async () => {
    serve(() => Promise.resolve(new Response('{"detail": "no such job"}', { status: 404 })));
    await expect(call("GET", "/home")).rejects.toBeInstanceOf(ApiError);
  });
});

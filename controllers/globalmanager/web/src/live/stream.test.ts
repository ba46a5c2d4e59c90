import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { OfflineError } from "../api/errors";
import { pieces, SILENCE_MS } from "./stream";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const alive = new TextEncoder().encode(": alive\n\n");

function stream() {
  const parts: { control?: ReadableStreamDefaultController<Uint8Array>; cancelled: boolean } = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start: (control) => void (parts.control = control),
    cancel: () => void (parts.cancelled = true),
  });
  const found: string[] = [];
  const reading = (async () => {
    for await (const piece of pieces(body)) found.push(new TextDecoder().decode(piece));
    return "ended";
  })().catch((error: unknown) => error);
  return { parts, found, reading, send: (piece: Uint8Array) => parts.control?.enqueue(piece) };
}

describe("a stream", () => {
  it("is given up, and its connection with it, where nothing comes for three signs of life", async () => {
    const { parts, found, reading, send } = stream();
    send(alive);
    await vi.advanceTimersByTimeAsync(SILENCE_MS);
    await expect(reading).resolves.toBeInstanceOf(OfflineError);
    expect(found).toHaveLength(1);
    expect(parts.cancelled).toBe(true);
  });

  it("lasts while signs of life come", async () => {
    const { parts, found, reading, send } = stream();
    for (let at = 0; at < 20; at++) {
      send(alive);
      await vi.advanceTimersByTimeAsync(15_000);
    }
    expect(found).toHaveLength(20);
    parts.control?.close();
    await expect(reading).resolves.toBe("ended");
    expect(vi.getTimerCount()).toBe(0);
  });
});

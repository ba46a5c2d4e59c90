import { act } from "preact/test-utils";
import { render } from "preact";
import { afterEach, beforeEach, expect, it } from "vitest";

import { session } from "../api/session";
import { useQuery } from "./query";

interface Asked { signal: AbortSignal; answer: (text: string) => Promise<void>; fail: (why: string) => Promise<void> }

const place = document.createElement("div");
const asked: Asked[] = [];
let reload: () => void = () => undefined;

function load(signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    asked.push({
      signal,
      answer: (text) => act(async () => resolve(text)) as Promise<void>,
      fail: (why) => act(async () => reject(new Error(why))) as Promise<void>,
    });
  });
}

function View({ name }: { name: string }) {
  const query = useQuery(name, load);
  reload = query.reload;
  return <p>{query.data ?? (query.error ? `failed: ${(query.error as Error).message}` : "...")}</p>;
}

const show = (name: string) => act(() => render(<View name={name} />, place));

beforeEach(() => session.set({ kind: "in", session: { user: "anna", role: "viewer", csrf: "", expires_at: "" } }));
afterEach(() => {
  void act(() => render(null, place));
  asked.length = 0;
});

it("lets a slow load end, however often it is asked to load again, and then loads once more", async () => {
  await show("a");
  for (let at = 0; at < 5; at++) await act(() => reload());
  expect(asked).toHaveLength(1);
  expect(asked[0]?.signal.aborted).toBe(false);
  await asked[0]?.answer("first");
  expect(place.textContent).toBe("first");
  expect(asked).toHaveLength(2);
  await asked[1]?.answer("second");
  expect(place.textContent).toBe("second");
  expect(asked).toHaveLength(2);
});

it("gives a load up where another one is wanted, or nobody looks any more", async () => {
  await show("a");
  await show("b");
  expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  await asked[0]?.answer("old");
  expect(place.textContent).toBe("...");
  await asked[1]?.answer("new");
  expect(place.textContent).toBe("new");
  await act(() => reload());
  await act(() => render(null, place));
  expect(asked[2]?.signal.aborted).toBe(true);
});

it("loads again after a failure", async () => {
  await show("a");
  await asked[0]?.fail("down");
  expect(place.textContent).toBe("failed: down");
  await act(() => reload());
  await asked[1]?.answer("up");
  expect(place.textContent).toBe("up");
});

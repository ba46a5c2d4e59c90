import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError, OfflineError } from "../api/errors";
import { memoryShelf } from "../lib/shelf";
import { add, opened, type Work } from "./annotation";
import { DraftKeeper, draftKey, PAUSE_MS, type Draft, type DraftState } from "./drafts";
import type { Task } from "./tasks";

const job = { namespace: "default", name: "pcb" };
const task = (more: Partial<Task> = {}): Task => ({
  sample_id: "s", extension: "png", width: 100, height: 100, revision: 3, lease_expires_at: "", kind: "boxes",
  suggestion: { source: "model", version: 1, boxes: [{ x1: 0, y1: 0, x2: 9, y2: 9, label: 1, score: 0.5 }], label: null, score: null },
  draft: null,
  ...more,
});
const work: Work = add(opened(null, null), { x1: 1, y1: 2, x2: 30, y2: 40 }, 2);
const draft = (more: Partial<Draft> = {}): Draft => ({
  key: draftKey("anna", job, "s"), user: "anna", job, sample: "s", revision: 3, kind: "boxes", annotation: work.now, at: 100, ...more,
});

function made(send: (draft: Draft) => Promise<unknown> = () => Promise.resolve()) {
  const states: DraftState[] = [];
  const lost: Draft[] = [];
  const sent: Draft[] = [];
  const shelf = memoryShelf<Draft>();
  const keeper = new DraftKeeper(
    shelf,
    (one) => (sent.push(one), send(one)),
    { state: (state) => states.push(state), lost: (one) => lost.push(one) },
  );
  return { keeper, shelf, states, lost, sent };
}

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
});
afterEach(() => vi.useRealTimers());

describe("keeping", () => {
  it("stores each change at once, and tells the service after a pause, the last one only", async () => {
    const { keeper, shelf, sent, states } = made();
    await keeper.keep(draft({ at: 1 }));
    await keeper.keep(draft({ at: 2 }));
    expect(await shelf.get(draft().key)).toMatchObject({ at: 2 });
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(sent).toMatchObject([{ at: 2 }]);
    expect(states.at(-1)).toBe("saved");
    expect(await shelf.get(draft().key)).toMatchObject({ sent: true });
  });
  it("sends the draft of the picture before at once when another one is begun", async () => {
    const { keeper, sent } = made();
    await keeper.keep(draft());
    await keeper.keep(draft({ key: "other", sample: "t" }));
    expect(sent).toMatchObject([{ sample: "s" }]);
  });
  it("keeps it here and tries again while nobody answers", async () => {
    let up = false;
    const { keeper, states } = made(() => (up ? Promise.resolve() : Promise.reject(new OfflineError(null))));
    await keeper.keep(draft());
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(states.at(-1)).toBe("here");
    up = true;
    await vi.advanceTimersByTimeAsync(2 * PAUSE_MS);
    expect(states.at(-1)).toBe("saved");
  });
  it("says that the claim went to somebody else, once", async () => {
    const { keeper, lost, sent } = made(() => Promise.reject(new ApiError(409, { title: "", status: 409, detail: "ben has it" })));
    await keeper.keep(draft());
    await vi.advanceTimersByTimeAsync(10 * PAUSE_MS);
    expect(lost).toHaveLength(1);
    expect(sent).toHaveLength(1);
  });
  it("is not tried again by a keeper that is closed, and stays in the browser", async () => {
    const { keeper, shelf, sent } = made(() => Promise.reject(new OfflineError(null)));
    await keeper.keep(draft());
    await keeper.close();
    await vi.advanceTimersByTimeAsync(10 * PAUSE_MS);
    expect(sent).toHaveLength(1);
    expect(await shelf.all()).toHaveLength(1);
  });
  it("sends nothing any more once the answer is given", async () => {
    const { keeper, shelf, sent } = made();
    await keeper.keep(draft());
    await keeper.forget(draft().key);
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    expect(sent).toEqual([]);
    expect(await shelf.all()).toEqual([]);
  });
  it("is not troubled by the service's no to a draft whose answer was there first", async () => {
    let refuse: (error: unknown) => void = () => undefined;
    const { keeper, lost, shelf, sent } = made(() => new Promise((_, reject) => (refuse = reject)));
    await keeper.keep(draft());
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    const gone = keeper.forget(draft().key);
    refuse(new ApiError(409, { title: "", status: 409, detail: "you have answered it already" }));
    await gone;
    await vi.advanceTimersByTimeAsync(10 * PAUSE_MS);
    expect(lost).toEqual([]);
    expect(sent).toHaveLength(1);
    expect(await shelf.all()).toEqual([]);
  });
  it("keeps what is drawn after an answer was taken back, though the draft before is still on its way", async () => {
    let arrive: () => void = () => undefined;
    const { keeper, shelf } = made(() => new Promise<void>((resolve) => (arrive = resolve)));
    await keeper.keep(draft({ at: 1 }));
    await vi.advanceTimersByTimeAsync(PAUSE_MS);
    const gone = keeper.forget(draft().key);
    await keeper.keep(draft({ at: 2 }));
    arrive();
    await gone;
    expect(await shelf.all()).toMatchObject([{ at: 2 }]);
  });
});

describe("opening", () => {
  it("begins with the suggestion where nothing was done", async () => {
    const found = await made().keeper.open("anna", job, task());
    expect(found.now.marks).toMatchObject([{ pending: true }]);
  });
  it("goes on with the work on this browser, of this person, for this label", async () => {
    const { keeper, shelf } = made();
    await shelf.put(draft().key, draft());
    expect((await keeper.open("anna", job, task())).now).toEqual(work.now);
    expect((await keeper.open("ben", job, task())).now.marks).toMatchObject([{ pending: true }]);
    expect((await keeper.open("anna", job, task({ revision: 4 }))).now.marks).toMatchObject([{ pending: true }]);
  });
  it("takes the service's draft where there is none here, a box without a class as the first", async () => {
    const boxes = [{ x1: 5, y1: 5, x2: 8, y2: 8, label: null }];
    const found = await made().keeper.open("anna", job, task({ draft: { base_revision: 3, kind: "boxes", annotation: { boxes, label: null } } }));
    expect(found.now.marks).toMatchObject([{ x1: 5, label: 0, pending: false }]);
  });
  it("takes the service's draft where it says something else than what was sent from here", async () => {
    const { keeper, shelf } = made();
    const there = { base_revision: 3, kind: "boxes" as const, annotation: { boxes: [{ x1: 50, y1: 5, x2: 80, y2: 8, label: 1 }], label: null } };
    await shelf.put(draft().key, draft({ sent: true }));
    expect((await keeper.open("anna", job, task({ draft: there }))).now.marks).toMatchObject([{ x1: 50 }]);
    await shelf.put(draft().key, draft({ sent: false }));
    expect((await keeper.open("anna", job, task({ draft: there }))).now).toEqual(work.now);
  });
  it("has what was drawn in the last second before the page went", async () => {
    const { keeper, shelf } = made();
    await shelf.put(draft().key, draft({ at: 50, annotation: { marks: [], label: null } }));
    keeper.keepAtOnce(draft({ at: 100 }));
    expect((await keeper.open("anna", job, task())).now).toEqual(work.now);
    expect(localStorage.length).toBe(0);
  });
  it("does not bring back from the last second what was answered since", async () => {
    const { keeper } = made();
    keeper.keepAtOnce(draft());
    await keeper.forget(draft().key);
    expect((await keeper.open("anna", job, task())).now.marks).toMatchObject([{ pending: true }]);
  });
});

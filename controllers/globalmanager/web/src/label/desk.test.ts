import { beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError } from "../api/errors";
import { memoryShelf, type Shelf } from "../lib/shelf";
import { acceptAll, add, opened, setLabel } from "./annotation";
import { AHEAD, Desk, REMEMBERED, type DeskService } from "./desk";
import { DraftKeeper, type Draft } from "./drafts";
import { Outbox, type Entry } from "./outbox";
import type { AnswerReceipt, Claims, Task } from "./tasks";

const job = { namespace: "default", name: "pcb" };
const task = (at: number, more: Partial<Task> = {}): Task => ({
  sample_id: `s${at}`, extension: "png", width: 100, height: 100, revision: 1, lease_expires_at: "", kind: "boxes", suggestion: null, draft: null, ...more,
});
const rect = { x1: 1, y1: 1, x2: 9, y2: 9 };
const settle = () => new Promise((resolve) => setTimeout(resolve));

/** A service with a queue of its own: claims stay with the one person there is. */
class Queue implements DeskService {
  held: Task[] = [];
  returned: string[] = [];
  withdrawn: number[] = [];
  constructor(public waiting: Task[]) {}
  claim = (_job: unknown, limit: number, _order: unknown, samples?: string[]): Promise<Claims> => {
    while (this.held.length < limit && this.waiting.length > 0) this.held.push(this.waiting.shift() as Task);
    const tasks = samples ? samples.map((id) => task(Number(id.slice(1)), { revision: 2 })) : this.held;
    return Promise.resolve({ tasks, left: this.waiting.length + this.held.length, with_others: 0, next_free_at: null, class_names: ["a", "b"] });
  };
  giveBack = (_job: unknown, sample: string) => (this.returned.push(sample), this.answered(sample), Promise.resolve());
  withdraw = (_job: unknown, answer: number) => (this.withdrawn.push(answer), Promise.resolve());
  answered(sample: string) {
    this.held = this.held.filter((one) => one.sample_id !== sample);
  }
}

/** A service that takes no answer for good. */
const refusal = () => new ApiError(422, { title: "", status: 422, detail: "box 1 is outside" });

interface Faults {
  send?: () => Promise<never>;
  draft?: () => Promise<void>;
  shelf?: Partial<Shelf<Draft>>;
}

async function made(tasks: Task[], online = true, faults: Faults = {}) {
  const queue = new Queue(tasks);
  const sent: Entry[] = [];
  const preload = vi.fn();
  const complain = vi.fn();
  const agreed = { yes: false, get: () => agreed.yes, set: () => void (agreed.yes = true) };
  let number = 10;
  const outbox = new Outbox(
    memoryShelf<Entry>(),
    (entry) => {
      if (faults.send) return faults.send();
      if (!online) return new Promise<AnswerReceipt>(() => undefined);
      sent.push(entry);
      queue.answered(entry.sample);
      return Promise.resolve({ answer_id: number++, revision: 2, state: "settled" as const, answers: 1, wanted: 1 });
    },
    { changed: () => undefined, sent: (entry, receipt) => desk.sent(entry, receipt), trouble: complain },
  );
  const drafts: Shelf<Draft> = { ...memoryShelf<Draft>(), ...faults.shelf };
  const keeper = new DraftKeeper(drafts, faults.draft ?? (() => Promise.resolve()), { state: () => undefined, lost: () => undefined }, 1e6);
  const desk: Desk = new Desk(job, "anna", { service: queue, outbox, keeper, preload, complain, agreed });
  await desk.refill();
  await settle();
  return { desk, queue, sent, preload, complain, agreed, keeper, outbox, drafts };
}

const many = (count: number) => Array.from({ length: count }, (_, at) => task(at));

beforeEach(() => localStorage.clear());

describe("a desk", () => {
  it("holds the picture on the screen and three ahead, which are loaded", async () => {
    const { desk, preload } = await made(many(9));
    expect(desk.state.get().tasks).toHaveLength(AHEAD + 1);
    expect(preload).toHaveBeenCalledTimes(AHEAD + 1);
    expect(desk.task?.sample_id).toBe("s0");
  });

  it("shows the next one at once, and claims on", async () => {
    const { desk, sent } = await made(many(9));
    desk.change((work) => add(work, rect, 1));
    desk.submit();
    expect(desk.task?.sample_id).toBe("s1");
    await settle();
    expect(sent).toMatchObject([{ sample: "s0", body: { kind: "boxes", base_revision: 1, class_names: ["a", "b"], annotation: { boxes: [{ ...rect, label: 1 }] } } }]);
    expect(desk.state.get().tasks.map((one) => one.sample_id)).toEqual(["s1", "s2", "s3", "s4"]);
  });

  it("does not show a sample again whose answer is still on its way", async () => {
    const { desk } = await made(many(2), false);
    desk.change((work) => add(work, rect, 1));
    desk.submit();
    await settle();
    expect(desk.state.get().tasks.map((one) => one.sample_id)).toEqual(["s1"]);
  });

  it("asks once in a job whether nothing is there, and never again", async () => {
    const { desk, sent, agreed } = await made(many(3));
    desk.submit();
    expect(desk.state.get().question).toBe("nothing");
    desk.submit();
    await settle();
    expect(agreed.yes).toBe(true);
    desk.submit();
    await settle();
    expect(sent.map((entry) => entry.body.kind)).toEqual(["nothing", "nothing"]);
  });

  it("asks before suggestions are left out, and takes them by one key", async () => {
    const suggestion = { source: "model" as const, version: 4, boxes: [{ ...rect, label: 0, score: 0.4 }], label: null, score: null };
    const { desk, sent } = await made([task(0, { suggestion }), task(1, { suggestion })]);
    desk.submit();
    expect(desk.state.get().question).toBe("pending");
    desk.change((work) => acceptAll(work, suggestion));
    expect(desk.state.get().question).toBeNull();
    desk.submit();
    await settle();
    desk.submit();
    desk.submit();
    await settle();
    expect(sent.map(({ body }) => [body.kind, body.shown_version])).toEqual([["boxes", 4], ["nothing", 4]]);
  });

  it("asks before drawn boxes are thrown away by X", async () => {
    const { desk, sent } = await made(many(2));
    desk.change((work) => add(work, rect, 0));
    desk.nothing();
    expect(desk.state.get().question).toBe("discard");
    expect(sent).toEqual([]);
    desk.nothing();
    await settle();
    expect(sent).toMatchObject([{ body: { kind: "nothing", annotation: null } }]);
  });

  it("wants a class in a job of classes", async () => {
    const { desk, sent } = await made([task(0, { kind: "class" })]);
    desk.submit();
    expect(desk.state.get().question).toBe("class");
    desk.say("unsure");
    await settle();
    expect(sent).toMatchObject([{ body: { kind: "unsure", annotation: null } }]);
    expect(desk.task).toBeNull();
  });

  it("takes the last answer back with its boxes, on the label that there is now", async () => {
    const { desk, queue, sent } = await made(many(5));
    desk.change((work) => add(work, rect, 1));
    desk.submit();
    await settle();
    await desk.takeBack();
    await settle();
    expect(queue.withdrawn).toEqual([10]);
    expect(desk.task).toMatchObject({ sample_id: "s0", revision: 2 });
    expect(desk.state.get().work?.now.marks).toMatchObject([{ ...rect, label: 1 }]);
    desk.submit();
    await settle();
    expect(sent.at(-1)).toMatchObject({ sample: "s0", body: { base_revision: 2 } });
  });

  it("takes one answer back at a time, however often it is asked meanwhile", async () => {
    const { desk, queue, complain } = await made(many(5));
    desk.say("unsure");
    await settle();
    desk.say("unsure");
    await settle();
    await Promise.all([desk.takeBack(), desk.takeBack(), desk.takeBack()]);
    await settle();
    expect(queue.withdrawn).toEqual([11]);
    expect(desk.task?.sample_id).toBe("s1");
    await desk.takeBack();
    expect(queue.withdrawn).toEqual([11, 10]);
    expect(complain).not.toHaveBeenCalled();
  });

  it("opens the sample that was asked for, or says why not and claims no other one", async () => {
    const { desk, queue } = await made([]);
    const claimed = queue.claim;
    queue.waiting = many(3);
    queue.claim = () => Promise.reject(new Error("it is in review"));
    await expect(desk.only("s7")).rejects.toThrow("it is in review");
    expect(desk.task).toBeNull();
    queue.claim = claimed;
    await desk.only("s7");
    expect(desk.task?.sample_id).toBe("s7");
  });

  it("sends what belongs to the kind, where both were tried on one picture", async () => {
    const { desk, sent } = await made([task(0, { kind: null }), task(1, { kind: null })]);
    for (const kind of ["class", "boxes"] as const) {
      desk.change((work) => setLabel(add(work, rect, 1), 1));
      desk.setKind(kind);
      desk.submit();
      await settle();
    }
    expect(sent.map(({ body }) => body.annotation)).toEqual([
      { boxes: [], label: 1 },
      { boxes: [{ ...rect, label: 1 }], label: null },
    ]);
  });

  it("takes an answer back that is on its way: it waits, and withdraws what has arrived", async () => {
    const { desk, queue, sent } = await made(many(5));
    desk.say("unsure");
    await desk.takeBack(); // at once, before anything was sent
    await settle();
    expect(sent).toHaveLength(queue.withdrawn.length);
    expect(desk.task?.sample_id).toBe("s0");
    desk.say("bad");
    await settle();
    expect(sent.at(-1)).toMatchObject({ sample: "s0", body: { kind: "bad" } });
  });

  it("says why an answer cannot be taken back, and stays where it is", async () => {
    const { desk, queue, complain } = await made(many(5));
    desk.say("bad");
    await settle();
    queue.withdraw = () => Promise.reject(new Error("round 3 has taken it"));
    await desk.takeBack();
    expect(complain).toHaveBeenCalledOnce();
    expect(desk.task?.sample_id).toBe("s1");
  });

  it("gives a skipped sample back and goes on", async () => {
    const { desk, queue } = await made(many(6));
    await desk.skip();
    expect(queue.returned).toEqual(["s0"]);
    expect(desk.task?.sample_id).toBe("s1");
  });

  it("keeps work and its steps while somebody looks at other pictures", async () => {
    const { desk } = await made(many(4));
    desk.change((work) => add(work, rect, 1));
    desk.go(1);
    await settle();
    expect(desk.state.get().work?.now.marks).toEqual([]);
    desk.go(-1);
    expect(desk.state.get().work?.past).toHaveLength(1);
  });

  it("drops nothing that was begun when the order changes", async () => {
    const { desk, queue } = await made(many(8));
    desk.change((work) => add(work, rect, 1));
    await desk.setOrder("oldest");
    await settle();
    expect(queue.returned).toEqual(["s1", "s2", "s3"]);
    expect(desk.task?.sample_id).toBe("s0");
    expect(desk.state.get().work?.now.marks).toHaveLength(1);
  });

  it("puts an answer into the outbox though the request of its draft hangs", async () => {
    const { desk, keeper, sent } = await made(many(5), true, { draft: () => new Promise(() => undefined) });
    desk.change((work) => add(work, rect, 1));
    await settle();
    void keeper.flush();
    await settle();
    desk.submit();
    await settle();
    expect(sent).toMatchObject([{ sample: "s0" }]);
    expect(desk.state.get().tasks.map((one) => one.sample_id)).toEqual(["s1", "s2", "s3", "s4"]);
  });

  it("sends an answer though the browser cannot remove its draft", async () => {
    const { desk, sent, complain } = await made(many(5), true, { shelf: { remove: () => Promise.reject(new Error("closed")) } });
    desk.say("bad");
    await settle();
    expect(sent).toMatchObject([{ sample: "s0" }]);
    expect(complain).toHaveBeenCalledOnce();
  });

  it("claims what was asked for by name also while another claim is under way", async () => {
    const { desk } = await made(many(9));
    desk.say("bad");
    const running = desk.prolong();
    await desk.refill(["s42"]);
    await running;
    expect(desk.state.get().tasks.map((one) => one.sample_id)).toContain("s42");
  });

  it("takes up again what was not taken: on the screen, and kept as a draft", async () => {
    const { desk, drafts } = await made(many(5));
    const work = add(opened(null, null), rect, 1);
    await desk.takeUp("s42", work);
    expect(desk.task).toMatchObject({ sample_id: "s42", revision: 2 });
    expect(desk.state.get().work).toBe(work);
    expect(await drafts.all()).toMatchObject([{ sample: "s42", revision: 2, annotation: work.now }]);
  });

  it("takes it up with the label that it has by now", async () => {
    const { desk } = await made(many(5));
    await desk.takeUp("s3", opened(null, null));
    expect(desk.task).toMatchObject({ sample_id: "s3", revision: 2 });
    expect(desk.state.get().tasks).toHaveLength(4);
  });

  it("says why something cannot be taken up, and changes nothing", async () => {
    const { desk, queue, drafts } = await made(many(5));
    const reason = new Error("it is kept for somebody else");
    queue.claim = () => Promise.reject(reason);
    await expect(desk.takeUp("s42", opened(null, null))).rejects.toBe(reason);
    expect(desk.task?.sample_id).toBe("s0");
    expect(await drafts.all()).toEqual([]);
  });

  it("gives the sample of a refused answer back with the answer, and may have it again", async () => {
    const { desk, queue, outbox } = await made([task(0)], true, { send: () => Promise.reject(refusal()) });
    desk.say("bad");
    await settle();
    expect(desk.task).toBeNull();
    queue.waiting.push(task(0)); // the service offers it to everybody
    await desk.giveUp(outbox.entries[0] as Entry);
    await settle();
    expect(queue.returned).toEqual(["s0"]);
    expect(outbox.entries).toEqual([]);
    expect(desk.task?.sample_id).toBe("s0");
    expect(desk.state.get().canTakeBack).toBe(false);
  });

  it("goes on though as many answers were refused as it holds samples", async () => {
    const { desk } = await made(many(20), true, { send: () => Promise.reject(refusal()) });
    for (let at = 0; at < AHEAD + 2; at++) {
      desk.say("bad");
      await settle();
    }
    await desk.refill();
    expect(desk.task?.sample_id).toBe(`s${AHEAD + 2}`);
    expect(desk.state.get().tasks).toHaveLength(AHEAD + 1);
  });

  it("keeps the work of the last answers only", async () => {
    const { desk, queue } = await made(many(REMEMBERED + 5));
    for (let at = 0; at < REMEMBERED + 2; at++) {
      desk.say("bad");
      await settle();
    }
    while (desk.state.get().canTakeBack) await desk.takeBack();
    expect(queue.withdrawn).toHaveLength(REMEMBERED);
  });
});

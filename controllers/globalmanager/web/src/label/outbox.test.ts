import { describe, expect, it } from "vitest";

import { ApiError, OfflineError } from "../api/errors";
import { memoryShelf, type Shelf } from "../lib/shelf";
import { Outbox, type Entry, type Send } from "./outbox";
import type { AnswerReceipt } from "./tasks";

const receipt: AnswerReceipt = { answer_id: 5, revision: 2, state: "settled", answers: 1, wanted: 1 };
const entry = (key: string, at: number, user = "anna"): Entry => ({
  key, user, job: { namespace: "default", name: "pcb" }, sample: `sample-${key}`, width: 10, height: 10, at, state: "waiting",
  body: { kind: "nothing", annotation: null, base_revision: 1, shown_version: null, seconds: 1, undoes: 0, class_names: null },
});
const problem = (status: number, more: object = {}) =>
  new ApiError(status, { title: "", status, detail: "no", ...more });

function made(send: Send, shelf: Shelf<Entry> = memoryShelf<Entry>()) {
  const waits: { work: () => void; ms: number }[] = [];
  const sent: string[] = [];
  const troubles: unknown[] = [];
  const box = new Outbox(
    shelf,
    send,
    { changed: () => undefined, sent: (one) => sent.push(one.key), trouble: (error) => troubles.push(error) },
    (work, ms) => waits.push({ work, ms }),
  );
  return { box, shelf, waits, sent, troubles };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("an outbox", () => {
  it("sends what is put in and then has nothing left, here or in the browser", async () => {
    const { box, shelf, sent } = made(() => Promise.resolve(receipt));
    await box.add(entry("a", 1));
    await settle();
    expect(sent).toEqual(["a"]);
    expect(box.entries).toEqual([]);
    expect(await shelf.all()).toEqual([]);
  });

  it("keeps an answer while nobody answers, and tries the same key again, later and later", async () => {
    let up = false;
    const keys: string[] = [];
    const { box, shelf, waits, sent } = made((one) => {
      keys.push(one.key);
      return up ? Promise.resolve(receipt) : Promise.reject(new OfflineError(null));
    });
    await box.add(entry("a", 1));
    await settle();
    expect(await shelf.all()).toHaveLength(1);
    waits.shift()?.work();
    await settle();
    expect(waits[0]?.ms).toBe(2000);
    up = true;
    waits.shift()?.work();
    await settle();
    expect(keys).toEqual(["a", "a", "a"]);
    expect(sent).toEqual(["a"]);
    expect(await shelf.all()).toEqual([]);
  });

  it.each([503, 500, 429])("tries again after %d", async (status) => {
    const { box, waits } = made(() => Promise.reject(problem(status)));
    await box.add(entry("a", 1));
    await settle();
    expect(waits).toHaveLength(1);
    expect(box.entries).toMatchObject([{ state: "waiting" }]);
  });

  it("waits for a sign-in after 401, and goes on then, oldest first", async () => {
    let signedIn = false;
    const order: string[] = [];
    const { box, waits } = made((one) => {
      if (!signedIn) return Promise.reject(problem(401));
      order.push(one.key);
      return Promise.resolve(receipt);
    });
    await box.add(entry("a", 1));
    await box.add(entry("b", 2));
    await settle();
    expect(waits).toEqual([]);
    signedIn = true;
    await box.flush();
    expect(order).toEqual(["a", "b"]);
  });

  it("keeps a conflict with the other version, and sends what comes after it", async () => {
    const current = { revision: 9, author: "ben", annotation: { boxes: [], label: 1 } };
    const { box, shelf, sent } = made((one) =>
      one.key === "a" ? Promise.reject(problem(409, { current })) : Promise.resolve(receipt),
    );
    await box.add(entry("a", 1));
    await box.add(entry("b", 2));
    await settle();
    expect(sent).toEqual(["b"]);
    expect(await shelf.all()).toMatchObject([{ key: "a", state: "conflict", current }]);
    await box.replace("a", { ...entry("c", 3), sample: "sample-a" });
    await settle();
    expect(sent).toEqual(["b", "c"]);
    expect(box.entries).toEqual([]);
  });

  it("keeps what is refused, with the reason, until somebody drops it", async () => {
    const { box, shelf } = made(() => Promise.reject(problem(422, { detail: "box 1 is outside", hint: "640 x 480" })));
    await box.add(entry("a", 1));
    await settle();
    expect(box.entries).toMatchObject([{ state: "refused", message: "box 1 is outside (640 x 480)" }]);
    await box.drop("a");
    expect(await shelf.all()).toEqual([]);
  });

  it("gives back what has not gone out, and says so of what has", async () => {
    let answer: (receipt: AnswerReceipt) => void = () => undefined;
    const { box, sent } = made(() => new Promise((resolve) => (answer = resolve)));
    await box.add(entry("a", 1));
    await box.add(entry("b", 2));
    const first = box.recall("a");
    answer(receipt);
    expect(await first).toBe(false); // it was under way, and has arrived
    const offline = made(() => Promise.reject(new OfflineError(null)));
    await offline.box.add(entry("c", 1));
    await settle();
    expect(await offline.box.recall("c")).toBe(true);
    expect(offline.box.entries).toEqual([]);
    expect(sent).toEqual(["a"]);
  });

  it("goes on with what an earlier visit left, of this person alone", async () => {
    const shelf = memoryShelf<Entry>();
    await shelf.put("a", entry("a", 2));
    await shelf.put("b", entry("b", 1));
    await shelf.put("c", entry("c", 3, "ben"));
    const { box, sent } = made(() => Promise.resolve(receipt), shelf);
    await box.load("anna");
    await settle();
    expect(sent).toEqual(["b", "a"]);
    expect(await shelf.all()).toMatchObject([{ key: "c" }]);
  });

  it("does not stand still for what nobody foresaw: it is tried again, and told once", async () => {
    const odd = new TypeError("undefined is not a function");
    let whole = false;
    const { box, waits, sent, troubles } = made(() => (whole ? Promise.resolve(receipt) : Promise.reject(odd)));
    await box.add(entry("a", 1));
    await settle();
    waits.shift()?.work();
    await settle();
    expect(troubles).toEqual([odd]);
    whole = true;
    waits.shift()?.work();
    await settle();
    expect(sent).toEqual(["a"]);
  });

  it.each([
    ["has arrived", { remove: () => Promise.reject(new Error("closed")) }, () => Promise.resolve(receipt), ["a", "b"]],
    ["was refused", { put: () => Promise.reject(new Error("closed")) }, () => Promise.reject(problem(422)), []],
  ])("goes on where the browser cannot note that an answer %s", async (_, broken, send, arrived) => {
    const shelf = memoryShelf<Entry>();
    await shelf.put("a", entry("a", 1));
    await shelf.put("b", entry("b", 2));
    const { box, sent, troubles } = made(send, { ...shelf, ...broken });
    await box.load("anna");
    await settle();
    expect(sent).toEqual(arrived);
    expect(box.entries.filter((one) => one.state === "waiting")).toEqual([]);
    expect(troubles).toMatchObject([{ message: "closed" }, { message: "closed" }]);
  });

  it("sends after a sign-in that comes while an attempt of the old session is under way", async () => {
    let refuse: (error: unknown) => void = () => undefined;
    let signedIn = false;
    const { box, sent } = made(() => (signedIn ? Promise.resolve(receipt) : new Promise((_, reject) => (refuse = reject))));
    await box.add(entry("a", 1));
    signedIn = true;
    const flushed = box.flush();
    refuse(problem(401));
    await flushed;
    expect(sent).toEqual(["a"]);
  });

  it("ends a flush when the sending ends, whoever began it", async () => {
    let answer: (receipt: AnswerReceipt) => void = () => undefined;
    const { box, sent } = made(() => new Promise((resolve) => (answer = resolve)));
    await box.add(entry("a", 1));
    const done = box.flush().then(() => [...sent]);
    await settle();
    answer(receipt);
    expect(await done).toEqual(["a"]);
  });

  it("sends an answer also where the browser cannot keep it", async () => {
    const full: Shelf<Entry> = { ...memoryShelf<Entry>(), put: () => Promise.reject(new Error("the disk is full")) };
    const { box, sent } = made(() => Promise.resolve(receipt), full);
    await expect(box.add(entry("a", 1))).rejects.toThrow("disk");
    await settle();
    expect(sent).toEqual(["a"]);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { session } from "../api/session";
import type { Entry } from "./outbox";
import { asUser, deliver, mail, postOf, unsent } from "./post";
import { openDesk } from "./useDesk";

const job = { namespace: "default", name: "pcb" };
const entry = (user: string): Entry => ({
  key: `of ${user}`, user, job, sample: "s", width: 10, height: 10, at: 1, state: "waiting",
  body: { kind: "nothing", annotation: null, base_revision: 1, shown_version: null, seconds: 1, undoes: 0, class_names: null },
});
const enter = (user: string) => session.set({ kind: "in", session: { user, role: "labeller", csrf: `of ${user}`, expires_at: "" } });
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

/** What reached the service, and with whose word. */
let asked: { path: string; method: string; word: string | null }[];
let number = 0;
let anna: string;
let ben: string;

beforeEach(() => {
  asked = [];
  anna = `anna${number}`; // the posts last as long as the page
  ben = `ben${number++}`;
  vi.stubGlobal("fetch", (request: Request) => {
    asked.push({ path: new URL(request.url).pathname, method: request.method, word: request.headers.get("X-CSRF-Token") });
    return Promise.resolve(new Response(JSON.stringify({ answer_id: 1, revision: 2, state: "settled", answers: 1, wanted: 1 })));
  });
});
afterEach(() => vi.unstubAllGlobals());

describe("what somebody has said", () => {
  it("does not go out under the name of the next person, and does when the first one is back", async () => {
    enter(anna);
    const { outbox, entries } = await openDesk(job, anna);
    session.set({ kind: "ended", user: anna });
    await outbox.add(entry(anna));
    enter(ben);
    await outbox.flush();
    expect(asked).toEqual([]);
    expect(entries.get()).toMatchObject([{ state: "waiting" }]);
    enter(anna);
    await outbox.flush();
    expect(asked).toMatchObject([{ method: "POST", word: `of ${anna}` }]);
    expect(entries.get()).toEqual([]);
  });

  it("nor does a draft or a claim", async () => {
    enter(anna);
    const { desk, keeper } = await openDesk(job, anna);
    enter(ben);
    await keeper.keep({ key: "k", user: anna, job, sample: "s", revision: 1, kind: "boxes", annotation: { marks: [], label: null }, at: 1 });
    await keeper.flush();
    await desk.refill();
    await desk.prolong();
    expect(asked).toEqual([]);
    expect(desk.state.get().error).toMatchObject({ status: 401 });
  });

  it("is not held back for the person whose it is", async () => {
    enter(anna);
    const work = asUser(anna, (text: string) => Promise.resolve(text));
    expect(await work("said")).toBe("said");
    session.set({ kind: "none" });
    await expect(work("said")).rejects.toMatchObject({ status: 401 });
  });

  it("goes out in every view, at the sign-in and when the network is back", async () => {
    session.set({ kind: "none" });
    const { outbox } = await postOf(anna);
    await outbox.add(entry(anna));
    enter(anna);
    const stop = deliver(anna);
    await settle();
    expect(asked).toHaveLength(1);
    session.set({ kind: "none" });
    await outbox.add({ ...entry(anna), key: "second" });
    enter(anna);
    dispatchEvent(new Event("online"));
    await settle();
    expect(asked).toHaveLength(2);
    expect(mail.get()?.outbox).toBe(outbox);
    stop();
    expect(mail.get()).toBeNull();
  });

  it("is one box, whoever opens it", async () => {
    enter(anna);
    expect((await openDesk(job, anna)).outbox).toBe((await openDesk({ ...job, name: "other" }, anna)).outbox);
    expect((await postOf(ben)).outbox).not.toBe((await postOf(anna)).outbox);
  });

  it("is counted after one more try", async () => {
    enter(anna);
    const { outbox } = await postOf(anna);
    session.set({ kind: "ended", user: anna });
    await outbox.add(entry(anna));
    await settle();
    expect(await unsent(anna)).toBe(1);
    enter(anna);
    expect(await unsent(anna)).toBe(0);
  });
});

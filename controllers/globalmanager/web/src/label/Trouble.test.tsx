import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { session } from "../api/session";
import { Toasts } from "../ui/toasts";
import type { Entry } from "./outbox";
import { Trouble } from "./Trouble";
import { openDesk, type OpenDesk } from "./useDesk";

const job = { namespace: "default", name: "pcb" };
const entry = (more: Partial<Entry> = {}): Entry => ({
  key: "a", user: "anna", job, sample: "s", width: 10, height: 10, at: 1, state: "refused",
  body: { kind: "boxes", annotation: { boxes: [{ x1: 1, y1: 1, x2: 5, y2: 5, label: 1 }], label: null }, base_revision: 1, shown_version: null, seconds: 1, undoes: 0, class_names: null },
  ...more,
});
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
const press = async (name: string) => {
  const found = [...document.querySelectorAll("button")].find((button) => button.textContent === name);
  if (!found) throw new Error(`there is no button ${name}: ${document.body.textContent}`);
  found.click();
  await settle();
};

let open: OpenDesk;
let answer: () => Response;

async function shown(one: Entry) {
  await open.outbox.add(one);
  render(<><Trouble open={open} entries={open.outbox.entries} classes={["a", "b"]} /><Toasts /></>, document.body);
  await press("Look at it");
}

beforeEach(async () => {
  session.set({ kind: "in", session: { user: "anna", role: "labeller", csrf: "word", expires_at: "" } });
  vi.stubGlobal("fetch", () => Promise.resolve(answer()));
  open = await openDesk(job, "anna");
});
afterEach(async () => {
  render(null, document.body);
  for (const one of open.outbox.entries) await open.outbox.drop(one.key);
  vi.unstubAllGlobals();
});

describe("an answer that was not taken", () => {
  it("stays what it is, with its drawing, where the sample cannot be had for a change", async () => {
    answer = () => new Response('{"detail": "it is kept for somebody else now"}', { status: 409 });
    await shown(entry());
    await press("Edit mine");
    expect(open.outbox.entries).toEqual([entry()]);
    expect(document.querySelector("dialog")).not.toBeNull();
    expect(document.body.textContent).toContain("it is kept for somebody else now");
  });

  it("is on the screen with its drawing before it leaves the outbox", async () => {
    const task = { sample_id: "s", extension: "png", width: 10, height: 10, revision: 3, lease_expires_at: "", kind: "boxes", suggestion: null, draft: null };
    answer = () => new Response(JSON.stringify({ tasks: [task], left: 1, with_others: 0, next_free_at: null, class_names: [] }));
    await shown(entry());
    await press("Edit mine");
    expect(open.outbox.entries).toEqual([]);
    expect(open.desk.task).toMatchObject({ sample_id: "s", revision: 3 });
    expect(open.desk.state.get().work?.now.marks).toMatchObject([{ x1: 1, y1: 1, x2: 5, y2: 5, label: 1, origin: "person" }]);
  });

  it("of another job is changed there", async () => {
    await shown(entry({ job: { namespace: "default", name: "other" } }));
    expect(document.querySelector<HTMLAnchorElement>("dialog a")?.getAttribute("href")).toBe("/ui/jobs/default/other/label");
  });
});

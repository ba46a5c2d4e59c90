import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { session } from "../api/session";
import type { Entry } from "../label/outbox";
import { deliver, postOf } from "../label/post";
import { SignOut, Unsent } from "./SignOut";

const entry: Entry = {
  key: "a", user: "anna", job: { namespace: "default", name: "pcb" }, sample: "s", width: 10, height: 10, at: 1, state: "waiting",
  body: { kind: "nothing", annotation: null, base_revision: 1, shown_version: null, seconds: 1, undoes: 0, class_names: null },
};
const settle = () => new Promise((resolve) => setTimeout(resolve, 30));
const press = async (name: string) => {
  const found = [...document.querySelectorAll("button")].find((one) => one.textContent === name || one.getAttribute("aria-label") === name);
  if (!found) throw new Error(`there is no button ${name}: ${document.body.textContent}`);
  found.click();
  await settle();
};

let online: boolean;
let asked: string[];
let stop: () => void;

beforeEach(async () => {
  online = true;
  asked = [];
  vi.stubGlobal("fetch", (request: Request | string, init?: RequestInit) => {
    const method = typeof request === "string" ? init?.method : request.method;
    asked.push(`${method} ${typeof request === "string" ? request : new URL(request.url).pathname.split("/").at(-1)}`);
    if (!online) return Promise.reject(new TypeError("Failed to fetch"));
    return Promise.resolve(method === "DELETE" ? new Response(null, { status: 204 }) : new Response('{"answer_id": 1}'));
  });
  session.set({ kind: "in", session: { user: "anna", role: "labeller", csrf: "word", expires_at: "" } });
  stop = deliver("anna");
  render(<><Unsent /><SignOut /></>, document.body);
  await settle();
});
afterEach(async () => {
  stop();
  render(null, document.body);
  await (await postOf("anna")).outbox.drop("a");
  vi.unstubAllGlobals();
});

describe("signing out", () => {
  it("is done at once where nothing waits", async () => {
    await press("Sign out");
    expect(asked).toEqual(["DELETE /api/v1/session"]);
    expect(session.get().kind).toBe("none");
  });

  it("sends first what waits, which the bar counts", async () => {
    session.set({ kind: "ended", user: "anna" });
    await (await postOf("anna")).outbox.add(entry);
    await settle();
    expect(document.body.textContent).toContain("1 answer not sent yet");
    session.set({ kind: "in", session: { user: "anna", role: "labeller", csrf: "word", expires_at: "" } });
    await press("Sign out");
    expect(asked).toEqual(["POST answers", "DELETE /api/v1/session"]);
    expect(document.body.textContent).not.toContain("not sent yet");
  });

  it("asks where something is left, and may be left alone", async () => {
    online = false;
    await (await postOf("anna")).outbox.add(entry);
    await settle();
    await press("Sign out");
    expect(document.querySelector("dialog")?.textContent).toContain("1 answer is not with the service yet");
    await press("Stay");
    expect(document.querySelector("dialog")).toBeNull();
    expect(session.get().kind).toBe("in");
    await press("Sign out");
    online = true;
    await press("Sign out all the same");
    expect(session.get().kind).toBe("none");
    expect((await postOf("anna")).outbox.entries).toHaveLength(1);
  });
});

import { act } from "preact/test-utils";
import { render } from "preact";
import { LocationProvider, Route, Router } from "preact-iso";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { session } from "../api/session";
import { Review } from "./Review";

const place = document.body.appendChild(document.createElement("div"));
const box = { x1: 1, y1: 2, x2: 30, y2: 40, label: 1 };
const item = {
  sample_id: "s1", extension: "png", width: 100, height: 80, revision: 4, reasons: ["disagreement"], sentence: "they disagree",
  answers: [{ answer_id: 7, person: "ben", kind: "boxes", annotation: { boxes: [box], label: null }, at: "", withdrawn: false }],
  label: null, prediction: null, agreement: null,
};
let posted: { path: string; body: unknown }[] = [];
let items = [item];

async function answer(target: Request): Promise<Response> {
  const { pathname: path } = new URL(target.url);
  if (target.method === "POST") {
    posted.push({ path, body: await target.json() });
    return new Response("{}");
  }
  if (path.endsWith("/labelling/review")) return new Response(JSON.stringify({ items, next: null }));
  return new Response(JSON.stringify({ class_names: ["ok", "hole"] }));
}

const settle = () => act(() => new Promise<void>((resolve) => setTimeout(resolve, 5)));
function press(key: string, code: string, repeat = false) {
  const event = new KeyboardEvent("keydown", { key, code, repeat, bubbles: true, cancelable: true });
  return act(() => void document.body.dispatchEvent(event));
}

function Page() {
  return (
    <Router>
      <Route path="/ui/jobs/:namespace/:name/review" component={Review} />
      <Route default component={() => <p>elsewhere</p>} />
    </Router>
  );
}

beforeEach(async () => {
  posted = [];
  items = [item, { ...item, sample_id: "s2" }];
  vi.stubGlobal("fetch", answer);
  session.set({ kind: "in", session: { user: "anna", role: "labeller", csrf: "w", expires_at: "" } });
  history.replaceState(null, "", "/ui/jobs/default/pcb/review");
  await act(() => render(<LocationProvider><Page /></LocationProvider>, place));
  await settle();
});
afterEach(async () => {
  await act(() => render(null, place));
  vi.unstubAllGlobals();
});

it("settles one sample by a key that is held", async () => {
  await press("1", "Digit1");
  await settle();
  for (let at = 0; at < 3; at++) {
    await press("1", "Digit1", true);
    await settle();
  }
  expect(posted).toEqual([{ path: "/api/v1/jobs/default/pcb/labelling/samples/s1/decision", body: { take: 7, base_revision: 4 } }]);
});

it("puts a label right in place, and decides by it", async () => {
  await press("e", "KeyE");
  expect(location.pathname).toBe("/ui/jobs/default/pcb/review");
  expect(place.querySelector(".canvas")).not.toBeNull();
  expect(place.querySelectorAll(".box-row")).toHaveLength(1);
  await press("z", "KeyZ"); // a bad picture before; now nothing
  await press("n", "KeyN");
  await press("ArrowRight", "ArrowRight");
  await press("1", "Digit1");
  await press("Enter", "Enter");
  await settle();
  const boxes = [{ ...box, x1: 2, x2: 31, label: 0 }];
  expect(posted).toEqual([
    {
      path: "/api/v1/jobs/default/pcb/labelling/samples/s1/decision",
      body: { annotation: { boxes, label: null }, class_names: ["ok", "hole"], base_revision: 4 },
    },
  ]);
});

it("keeps a correction that is begun while the session ends, and saves nothing that was given up", async () => {
  await press("e", "KeyE");
  await press("n", "KeyN");
  await press("Delete", "Delete");
  await act(() => session.set({ kind: "ended", user: "anna" }));
  expect(place.querySelectorAll(".box-row")).toHaveLength(0);
  expect(place.querySelector(".canvas")).not.toBeNull();
  const cancel = [...place.querySelectorAll("button")].find((one) => one.textContent === "Cancel");
  await act(() => cancel?.click());
  expect(place.querySelector(".canvas")).toBeNull();
  expect(posted).toEqual([]);
});

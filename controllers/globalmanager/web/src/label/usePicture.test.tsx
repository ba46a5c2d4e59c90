import { act } from "preact/test-utils";
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { ApiError, OfflineError } from "../api/errors";
import { session } from "../api/session";
import { PictureNote } from "./PictureNote";
import { failureOf, mayDo, usePicture, type Failure } from "./usePicture";

const place = document.body.appendChild(document.createElement("div"));
const told = vi.fn<(failure: Failure | null) => void>();
const signedIn = () => session.set({ kind: "in", session: { user: "anna", role: "labeller", csrf: "", expires_at: "" } });
const problem = (status: number, detail: string) => ({ title: "", status, detail });
let status = 404;

function View() {
  const picture = usePicture("/api/v1/picture", told);
  return (
    <>
      <img key={picture.turn} onError={picture.onError} />
      <PictureNote picture={picture} />
    </>
  );
}

beforeEach(async () => {
  status = 404;
  vi.stubGlobal("fetch", () =>
    Promise.resolve(status < 300 ? new Response("png") : new Response(JSON.stringify(problem(status, "no such file")), { status })),
  );
  signedIn();
  told.mockClear();
  await act(() => render(<View />, place));
});
afterEach(async () => {
  await act(() => render(null, place));
  vi.unstubAllGlobals();
});

const image = () => place.querySelector("img") as HTMLImageElement;
const settle = () => act(() => new Promise<void>((resolve) => setTimeout(resolve)));
async function fails() {
  await act(() => void image().dispatchEvent(new Event("error")));
  await settle();
}

it("says the service's reason, and that it may be called bad", async () => {
  await act(() => void image().dispatchEvent(new Event("error")));
  expect(place.textContent).not.toContain("does not show it");
  await settle();
  expect(place.textContent).toContain("no such file");
  expect(place.textContent).toContain("say that it is bad");
  expect(told.mock.lastCall?.[0]).toMatchObject({ spoilt: true });
});

it("does not suggest that a picture is bad where the service is down", async () => {
  status = 503;
  await fails();
  expect(place.textContent).not.toContain("bad");
  expect(told.mock.lastCall?.[0]).toMatchObject({ spoilt: false });
});

it("says where the service sends it and the browser cannot show it", async () => {
  status = 200;
  await fails();
  expect(place.textContent).toContain("does not show it");
  expect(told.mock.lastCall?.[0]).toEqual({ spoilt: false });
});

it("is loaded again by the button and by the network's return, in a new image", async () => {
  for (const again of [() => place.querySelector("button")?.click(), () => dispatchEvent(new Event("online"))]) {
    await fails();
    const before = image();
    await act(() => void again());
    expect(image()).not.toBe(before);
    expect(place.querySelector("[role=alert]")).toBeNull();
    expect(told.mock.lastCall?.[0]).toBeNull();
  }
});

it("is loaded again after the sign-in that it waited for", async () => {
  status = 401;
  await fails();
  expect(session.get().kind).toBe("ended");
  const before = image();
  await act(() => signedIn());
  expect(image()).not.toBe(before);
  expect(place.querySelector("[role=alert]")).toBeNull();
});

it("lets nobody answer for what is not seen, and call it bad only where it is", () => {
  const bad = failureOf(new ApiError(422, problem(422, "broken")));
  const away = [new OfflineError("x"), ...[401, 403, 429, 500, 503].map((code) => new ApiError(code, problem(code, "")))].map(failureOf);
  for (const failure of [bad, ...away]) {
    expect(mayDo("submit", failure)).toBe(false);
    expect(mayDo("nothing", failure)).toBe(false);
    expect(mayDo("skip", failure)).toBe(true);
  }
  expect(mayDo("bad", bad)).toBe(true);
  for (const failure of away) expect(mayDo("bad", failure)).toBe(false);
  for (const what of ["submit", "nothing", "bad"] as const) expect(mayDo(what, null)).toBe(true);
});

import { expect, it } from "vitest";

import { dayOf, edgeOf } from "./days";

it("begins a day where this place does, and ends it a day later", () => {
  expect(new Date(edgeOf("2026-03-05", false)).getTime()).toBe(new Date(2026, 2, 5).getTime());
  expect(new Date(edgeOf("2026-03-05", true)).getTime()).toBe(new Date(2026, 2, 6).getTime());
  expect(new Date(edgeOf("2026-12-31", true)).getTime()).toBe(new Date(2027, 0, 1).getTime());
});

it.each(["2026-03-05", "2026-03-29", "2026-10-25", "2024-02-29", "2026-12-31"])("shows %s as it was chosen", (day) => {
  for (const end of [false, true]) expect(dayOf(edgeOf(day, end), end)).toBe(day);
});

it("knows what is no day", () => {
  for (const end of [false, true]) {
    expect(edgeOf("", end)).toBe("");
    expect(dayOf("", end)).toBe("");
    expect(dayOf("yesterday", end)).toBe("");
  }
});

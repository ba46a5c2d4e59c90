import { describe, expect, it } from "vitest";

import { fill } from "./index";
import { en } from "./en";
import { zh } from "./zh";

const keys = Object.keys(en).sort() as (keyof typeof en)[];
const names = (text: string) => [...text.matchAll(/\{(\w+)(?=[:}])/g)].map((found) => found[1]);

describe("both languages", () => {
  it("have the same keys", () => {
    expect(Object.keys(zh).sort()).toEqual(keys);
  });
  it.each(keys)("%s says something, with the same values", (key) => {
    expect(en[key].trim()).not.toBe("");
    expect(zh[key].trim()).not.toBe("");
    for (const name of names(zh[key])) expect(names(en[key])).toContain(name);
  });
});

it("fills values in, and chooses between one and many", () => {
  expect(fill("{n} {n:box|boxes} of {who}", { n: 1, who: "anna" })).toBe("1 box of anna");
  expect(fill("{n} {n:box|boxes}", { n: 0 })).toBe("0 boxes");
  expect(fill("{n} {n:waits|wait}", { n: "1" })).toBe("1 waits");
  expect(fill("{unknown}", {})).toBe("{unknown}");
});

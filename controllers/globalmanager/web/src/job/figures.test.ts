import { describe, expect, it } from "vitest";

import type { GateVerdict, RoundRow } from "../api/types";
import { classChanges, curveOf, gatePicture } from "./figures";

const verdict = (more: Partial<GateVerdict> = {}): GateVerdict => ({
  outcome: "better", metric: "f1", candidate: 0.8, champion: 0.7, interval: { low: 0.04, high: 0.17, confidence: 0.9 }, samples: 16,
  holdout: { samples: 66, candidate: 0.74, champion: 0.76, candidate_classes: [0.9, null], champion_classes: [0.8, 0.7] },
  checks: [{ name: "class floor short", passed: true, observed: 0.7, required: ">= 0.6", reason: "" }],
  ...more,
});
const round = (number: number, outcome: string, found: GateVerdict | null) =>
  ({ round: number, outcome, verdict: found }) as unknown as RoundRow;

describe("curves", () => {
  it("have the judged rounds in order, with the band around the model before", () => {
    const points = curveOf([round(3, "Rejected", verdict({ candidate: 0.6 })), round(2, "Failed", null), round(1, "Deployed", verdict())]);
    expect(points.map((point) => [point.round, point.served])).toEqual([[1, 0.8], [3, 0.7]]);
    expect(points[0]?.low).toBeCloseTo(0.74);
    expect(points[0]?.high).toBeCloseTo(0.87);
  });
  it("have no band where there was no interval or no model before", () => {
    expect(curveOf([round(1, "Deployed", verdict({ champion: null }))])).toMatchObject([{ low: null, high: null, served: 0.8 }]);
    expect(curveOf([round(1, "Inconclusive", verdict({ interval: null }))])).toMatchObject([{ low: null, served: 0.7 }]);
  });
});

describe("the gate's picture", () => {
  it("holds every value, with 0 in the middle", () => {
    const picture = gatePicture(verdict());
    expect(picture.difference).toBeCloseTo(0.1);
    expect(picture.holdout).toBeCloseTo(-0.02);
    expect(picture.reach).toBeCloseTo(0.17 * 1.15);
  });
  it("has an axis also where all are equal", () => {
    expect(gatePicture(verdict({ candidate: 0.7, interval: null, holdout: null })).reach).toBeGreaterThan(0);
  });
});

it("puts classes before and after beside their floors", () => {
  expect(classChanges(verdict(), ["open", "short"])).toEqual([
    { name: "open", before: 0.8, after: 0.9, floor: null },
    { name: "short", before: 0.7, after: null, floor: 0.6 },
  ]);
  expect(classChanges(verdict({ holdout: null }), [])).toEqual([]);
});

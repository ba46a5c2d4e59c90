// Rounds as numbers for curves and pictures. Pure functions.
import type { GateVerdict, RoundRow } from "../api/types";

export interface CurvePoint {
  round: number;
  candidate: number | null;
  /** Where the candidate's value lies, by the interval of its difference. */
  low: number | null;
  high: number | null;
  /** In service after the round. */
  served: number | null;
  outcome: string | null;
}

/** The judged rounds, the oldest first. */
export function curveOf(rounds: readonly RoundRow[]): CurvePoint[] {
  const points: CurvePoint[] = [];
  for (const row of [...rounds].sort((a, b) => a.round - b.round)) {
    const verdict = row.verdict;
    if (!verdict) continue;
    const champion = verdict.champion ?? null;
    const candidate = verdict.candidate ?? null;
    const interval = champion === null ? null : (verdict.interval ?? null);
    points.push({
      round: row.round,
      candidate,
      low: interval && champion !== null ? champion + interval.low : null,
      high: interval && champion !== null ? champion + interval.high : null,
      served: row.outcome === "Deployed" ? candidate : champion,
      outcome: row.outcome ?? null,
    });
  }
  return points;
}

export function metricOf(rounds: readonly RoundRow[]): string {
  return rounds.find((row) => row.verdict)?.verdict?.metric ?? "";
}

export interface GatePicture {
  /** Both ends of the axis, equally far from 0. */
  reach: number;
  difference: number | null;
  low: number | null;
  high: number | null;
  confidence: number | null;
  holdout: number | null;
}

export function gatePicture(verdict: GateVerdict): GatePicture {
  const candidate = verdict.candidate ?? null;
  const champion = verdict.champion ?? null;
  const difference = candidate !== null && champion !== null ? candidate - champion : null;
  const interval = verdict.interval ?? null;
  const held = verdict.holdout ?? null;
  const holdout = held ? held.candidate - held.champion : null;
  const known = [difference, interval?.low, interval?.high, holdout].filter((v): v is number => typeof v === "number");
  const reach = Math.max(0.05, ...known.map(Math.abs)) * 1.15;
  return {
    reach, difference, low: interval?.low ?? null, high: interval?.high ?? null,
    confidence: interval?.confidence ?? null, holdout,
  };
}

export interface ClassChange {
  name: string;
  before: number | null;
  after: number | null;
  floor: number | null;
}

/** F1 of each class on the frozen hold-out, with the floor that the gate asks for. */
export function classChanges(verdict: GateVerdict, names: readonly string[]): ClassChange[] {
  const held = verdict.holdout;
  if (!held) return [];
  const before = held.champion_classes ?? [];
  const after = held.candidate_classes ?? [];
  return Array.from({ length: Math.max(before.length, after.length) }, (_, at) => {
    const name = names[at] ?? `#${at}`;
    const check = verdict.checks.find((one) => one.name === `class floor ${name}`);
    const floor = check ? Number(/[\d.]+/.exec(check.required)?.[0] ?? Number.NaN) : Number.NaN;
    return { name, before: before[at] ?? null, after: after[at] ?? null, floor: Number.isFinite(floor) ? floor : null };
  });
}

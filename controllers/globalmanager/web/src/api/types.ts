// Names for what the service answers, out of its own description.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type JobSummary = Schemas["JobSummary"];
export type JobView = Schemas["JobView"];
export type RoundRow = Schemas["RoundRow"];
export type RoundView = Schemas["RoundView"];
export type WorkerRow = Schemas["WorkerRow"];
export type WorkerLog = Schemas["WorkerLog"];
export type GateVerdict = Schemas["GateVerdict"];
export type ModelVersionRow = Schemas["ModelVersionRow"];
export type ModelManifest = Schemas["ModelManifest"];
export type SampleRow = Schemas["SampleRow"];
export type SampleStory = Schemas["SampleStory"];
export type LabelRow = Schemas["LabelRow"];
export type EdgeRow = Schemas["EdgeRow"];
export type EdgeJobRow = Schemas["EdgeJobRow"];
export type TokenRow = Schemas["TokenRow"];
export type DatasetVersionRow = Schemas["DatasetVersionRow"];
export type DatasetVersionDetail = Schemas["DatasetVersionDetail"];
export type RequestRow = Schemas["RequestRow"];
export type Box = Schemas["Box"];

export interface Paged<T> {
  items: T[];
  next?: string | null;
}

// The routes of the page itself.

export interface Finding {
  name: string;
  holds: boolean;
  reason: string;
  observed: Record<string, unknown>;
}

export interface HomeJob extends JobSummary {
  metric: { name: string; points: { round: number; version: number; value: number }[] };
  waiting: number;
  trigger: { holds: boolean; sentence: string; findings: Finding[] };
  progress: { stage: string; share: number | null; eta_seconds: number | null } | null;
  last_heartbeat_at: string | null;
}

export interface HomeView {
  at: string;
  user: string;
  trouble: string[];
  jobs: HomeJob[];
}

export interface Flow {
  edges: { live: number; all: number };
  spool: number;
  store: number;
  labels: { waiting: number; settled: number; review: number };
  training: { round: number | null; share: number | null; eta_seconds: number | null };
  gate: { waiting: boolean };
  model: number | null;
}

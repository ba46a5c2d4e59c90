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
export type HomeView = Schemas["HomeView"];
export type HomeJob = Schemas["HomeJob"];
export type Flow = Schemas["FlowView"];

export interface Paged<T> {
  items: T[];
  next?: string | null;
}

// Names for what the service answers, out of its own description.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type JobView = Schemas["JobView"];
export type RoundRow = Schemas["RoundRow"];
export type GateVerdict = Schemas["GateVerdict"];
export type SampleRow = Schemas["SampleRow"];
export type SampleStory = Schemas["SampleStory"];
export type LabelRow = Schemas["LabelRow"];
export type EdgeRow = Schemas["EdgeRow"];
export type TokenRow = Schemas["TokenRow"];
export type HomeView = Schemas["HomeView"];
export type HomeJob = Schemas["HomeJob"];
export type Flow = Schemas["FlowView"];

export interface Paged<T> {
  items: T[];
  next?: string | null;
}

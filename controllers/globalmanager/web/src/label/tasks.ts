// The service's labelling routes: claims, drafts, answers, review.
import { call } from "../api/client";
import { jobApi, type JobName } from "../api/job";
import type { components } from "../api/schema";
import type { WireAnnotation } from "./annotation";

type Schemas = components["schemas"];

export type Kind = Schemas["LabelKind"];
export type AnswerKind = Schemas["AnswerKind"];
export type Order = Schemas["Order"];
export type ServerDraft = Schemas["Draft"];
export type Task = Schemas["LabelTask"];
export type Claims = Schemas["Claims"];
export type AnswerReceipt = Schemas["AnswerResult"];
export type LabellingSummary = Schemas["LabellingSummary"];
export type ReviewReason = Schemas["ReviewReason"];
export type ReviewItem = Schemas["ReviewItem"];

export const ORDERS: readonly Order[] = [
  "entropy",
  "margin",
  "least_confidence",
  "disagreement",
  "k_center",
  "new_classes",
  "oldest",
];

export interface AnswerBody {
  kind: AnswerKind;
  annotation: WireAnnotation | null;
  base_revision: number;
  shown_version: number | null;
  seconds: number;
  undoes: number;
  class_names: readonly string[] | null;
}

function at(job: JobName, ...rest: (string | number)[]): string {
  return [`${jobApi(job)}/labelling`, ...rest.map((part) => encodeURIComponent(part))].join("/");
}

export function claim(job: JobName, limit: number, order: Order | null, samples?: string[]): Promise<Claims> {
  const body = { limit, ...(order ? { order } : {}), ...(samples ? { samples } : {}) };
  return call("POST", at(job, "claims"), { body });
}

export function giveBack(job: JobName, sample: string, skip: boolean): Promise<void> {
  return call("DELETE", `${at(job, "claims", sample)}${skip ? "?skip=true" : ""}`);
}

export function putDraft(job: JobName, sample: string, draft: ServerDraft): Promise<{ lease_expires_at: string }> {
  const { base_revision, annotation, kind } = draft;
  return call("PUT", at(job, "samples", sample, "draft"), { body: { base_revision, annotation, kind } });
}

export function postAnswer(job: JobName, sample: string, key: string, body: AnswerBody): Promise<AnswerReceipt> {
  return call("POST", at(job, "samples", sample, "answers"), { body, headers: { "Idempotency-Key": key } });
}

export function withdraw(job: JobName, answer: number): Promise<unknown> {
  return call("POST", at(job, "answers", answer, "withdraw"), { body: {} });
}

export function summary(job: JobName, signal?: AbortSignal): Promise<LabellingSummary> {
  return call("GET", at(job, "summary"), signal ? { signal } : {});
}

export function review(job: JobName, reason: ReviewReason | "", cursor: string | null, signal?: AbortSignal) {
  const query = new URLSearchParams({ limit: "20", ...(reason ? { reason } : {}), ...(cursor ? { cursor } : {}) });
  return call<{ items: ReviewItem[]; next: string | null }>("GET", `${at(job, "review")}?${query}`, signal ? { signal } : {});
}

export type Decision =
  | { take: number }
  | { annotation: WireAnnotation; class_names?: readonly string[] }
  | { bad: true; reason: string };

export function decide(job: JobName, sample: string, decision: Decision, revision: number): Promise<AnswerReceipt> {
  return call("POST", at(job, "samples", sample, "decision"), { body: { ...decision, base_revision: revision } });
}

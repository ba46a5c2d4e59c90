// The service's labelling routes: claims, drafts, answers, review.
import { call } from "../api/client";
import { jobApi, type JobName } from "../api/job";
import type { Suggestion, WireAnnotation, WireBox } from "./annotation";

export type Kind = "boxes" | "class";
export type AnswerKind = Kind | "nothing" | "unsure" | "bad";
export type Order =
  | "entropy"
  | "margin"
  | "least_confidence"
  | "disagreement"
  | "oldest"
  | "k_center"
  | "new_classes";
export const ORDERS: readonly Order[] = [
  "entropy",
  "margin",
  "least_confidence",
  "disagreement",
  "k_center",
  "new_classes",
  "oldest",
];

/** A box in a draft may have no class yet. */
export interface ServerDraft {
  base_revision: number;
  annotation: { boxes: (Omit<WireBox, "label"> & { label: number | null })[]; label: number | null };
  kind: AnswerKind | null;
}

export interface Task {
  sample_id: string;
  extension: string;
  width: number;
  height: number;
  revision: number;
  lease_expires_at: string;
  kind: Kind | null;
  suggestion: Suggestion | null;
  draft: ServerDraft | null;
}

export interface Claims {
  tasks: Task[];
  left: number;
  with_others: number;
  next_free_at: string | null;
  /** Sent back with each answer: a class that is called otherwise by now is noticed. */
  class_names: string[];
}

export interface AnswerBody {
  kind: AnswerKind;
  annotation: WireAnnotation | null;
  base_revision: number;
  shown_version: number | null;
  seconds: number;
  undoes: number;
  class_names: readonly string[] | null;
}

export interface AnswerReceipt {
  answer_id: number;
  revision: number;
  state: "waiting" | "answered" | "settled" | "review" | "bad";
  answers: number;
  wanted: number;
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

export interface PersonCount {
  person: string;
  answers: number;
  median_seconds: number | null;
}

export interface LabellingSummary {
  waiting: number;
  claimed: number;
  answered: number;
  settled: number;
  review: number;
  bad: number;
  by_person: PersonCount[];
  order: Order;
  annotators: number;
}

export function summary(job: JobName, signal?: AbortSignal): Promise<LabellingSummary> {
  return call("GET", at(job, "summary"), signal ? { signal } : {});
}

export type ReviewReason = "disagreement" | "unsure" | "label_error";

export interface ReviewAnswer {
  answer_id: number;
  person: string;
  kind: AnswerKind;
  annotation: WireAnnotation | null;
  at: string;
  withdrawn: boolean;
}

export interface ReviewItem {
  sample_id: string;
  width: number;
  height: number;
  extension: string;
  revision: number;
  reasons: ReviewReason[];
  sentence: string;
  answers: ReviewAnswer[];
  /** The label that it has until then. */
  label: { annotation: WireAnnotation; author: string } | null;
  prediction: Suggestion | null;
  agreement: number | null;
}

export function review(job: JobName, reason: ReviewReason | "", cursor: string | null, signal?: AbortSignal) {
  const query = new URLSearchParams({ limit: "20", ...(reason ? { reason } : {}), ...(cursor ? { cursor } : {}) });
  return call<{ items: ReviewItem[]; next: string | null }>("GET", `${at(job, "review")}?${query}`, signal ? { signal } : {});
}

export type Decision =
  | { take: number }
  | { annotation: WireAnnotation }
  | { bad: true; reason: string };

export function decide(job: JobName, sample: string, decision: Decision, revision: number): Promise<AnswerReceipt> {
  return call("POST", at(job, "samples", sample, "decision"), { body: { ...decision, base_revision: revision } });
}

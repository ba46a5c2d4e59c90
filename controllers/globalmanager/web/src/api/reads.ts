// What views read, by name.
import { api, body, call } from "./client";
import { jobApi, type JobName } from "./job";
import type { Flow, HomeView, Paged, SampleRow } from "./types";

export function home(signal?: AbortSignal): Promise<HomeView> {
  return call("GET", "/home", signal ? { signal } : {});
}

export function flow(job: JobName, signal?: AbortSignal): Promise<Flow> {
  return call("GET", `${jobApi(job)}/flow`, signal ? { signal } : {});
}

const at = (job: JobName) => ({ path: job });

export function readJob(job: JobName, signal: AbortSignal) {
  return body(api.GET("/api/v1/jobs/{namespace}/{name}", { params: at(job), signal }));
}

export function listRounds(job: JobName, cursor: string | null, signal: AbortSignal) {
  const query = { limit: 100, ...(cursor ? { cursor } : {}) };
  return body(api.GET("/api/v1/jobs/{namespace}/{name}/rounds", { params: { ...at(job), query }, signal }));
}

export function roundLog(job: JobName, round: number, offset: number, signal: AbortSignal) {
  const params = { path: { ...job, round_id: round }, query: { offset } };
  return body(api.GET("/api/v1/jobs/{namespace}/{name}/rounds/{round_id}/log", { params, signal }));
}

export function listModels(job: JobName, cursor: string | null, signal: AbortSignal) {
  const query = { limit: 100, ...(cursor ? { cursor } : {}) };
  return body(api.GET("/api/v1/jobs/{namespace}/{name}/models", { params: { ...at(job), query }, signal }));
}

export function listDatasets(job: JobName, cursor: string | null, signal: AbortSignal) {
  const query = { limit: 100, ...(cursor ? { cursor } : {}) };
  return body(api.GET("/api/v1/jobs/{namespace}/{name}/datasets", { params: { ...at(job), query }, signal }));
}

export function readSample(job: JobName, sample: string, signal: AbortSignal) {
  const params = { path: { ...job, sample_id: sample } };
  return body(api.GET("/api/v1/jobs/{namespace}/{name}/samples/{sample_id}", { params, signal }));
}

export function listSamples(
  job: JobName,
  filter: Record<string, string>,
  cursor: string | null,
  signal: AbortSignal,
): Promise<Paged<SampleRow> & { total?: number | null }> {
  const query = new URLSearchParams({ limit: "100", ...filter });
  if (cursor) query.set("cursor", cursor);
  else query.set("count", "true");
  return call("GET", `${jobApi(job)}/samples?${query}`, { signal });
}

export function listEdges(signal: AbortSignal) {
  return body(api.GET("/api/v1/edges", { signal }));
}

export function readStatus(signal: AbortSignal) {
  return body(api.GET("/api/v1/status", { signal }));
}

export function listTokens(signal: AbortSignal) {
  return body(api.GET("/api/v1/tokens", { signal }));
}

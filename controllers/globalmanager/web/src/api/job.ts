// Which job, and where things of it are.

export interface JobName {
  namespace: string;
  name: string;
}

export function sameJob(a: JobName | null | undefined, b: JobName): boolean {
  return a?.namespace === b.namespace && a.name === b.name;
}

export function jobApi(job: JobName): string {
  return `/jobs/${encodeURIComponent(job.namespace)}/${encodeURIComponent(job.name)}`;
}

export function jobPage(job: JobName, ...rest: string[]): string {
  return ["/ui/jobs", job.namespace, job.name, ...rest].map((part, at) => (at ? encodeURIComponent(part) : part)).join("/");
}

export function thumbnailUrl(job: JobName, sample: string, side = 256): string {
  return `/api/v1${jobApi(job)}/samples/${sample}/thumbnail?side=${side}`;
}

/** As the service decodes it: any format, any depth, at most 4,096 pixels a side. Coordinates stay the original's. */
export function drawingUrl(job: JobName, sample: string): string {
  return `/api/v1${jobApi(job)}/samples/${sample}/drawing`;
}

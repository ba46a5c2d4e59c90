// What can go wrong with a request: the service says no (a problem), or nobody answers.

/** RFC 9457, as the service sends it. `current` comes with the 409 of an answer: what is stored now. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  where?: string;
  hint?: string;
  current?: unknown;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.where ? `${problem.where}: ${problem.detail}` : problem.detail);
    this.name = "ApiError";
  }

  get hint(): string {
    return this.problem.hint ?? "";
  }
}

/** No answer at all: no network, or the service is down. Trying again may help. */
export class OfflineError extends Error {
  constructor(cause: unknown) {
    super("the service does not answer", { cause });
    this.name = "OfflineError";
  }
}

/** What proves that this page makes a request; it belongs to the session of the cookie, which all tabs share. */
export const CSRF = "X-CSRF-Token";

/** Another tab has signed in since: nothing is wrong with the request. */
export function isStaleWord(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403 && error.problem.where === CSRF;
}

/** Whether the same request may succeed later without a change. */
export function isTemporary(error: unknown): boolean {
  if (error instanceof OfflineError || isStaleWord(error)) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429 || error.status === 408);
}

/** An answer that is not 2xx, as an error; a proxy's HTML page becomes its status line. */
export async function errorOf(response: Response): Promise<ApiError> {
  const plain: Problem = {
    title: response.statusText,
    status: response.status,
    detail: `${response.status} ${response.statusText}`.trim(),
  };
  try {
    const said: unknown = await response.json();
    if (said !== null && typeof said === "object" && "detail" in said && typeof said.detail === "string") {
      return new ApiError(response.status, { ...plain, ...(said as Partial<Problem>), detail: said.detail });
    }
  } catch {
    // not JSON: the status line has to do
  }
  return new ApiError(response.status, plain);
}

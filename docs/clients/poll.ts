// Polls the status of a job, in a browser or in Node, until the job has ended.
//
// The service says when to poll next: `nextPollInMs` of each status, and `Retry-After` of an
// error response. A client that observes both is never throttled for polling too often, and
// notices an end at most a tenth late.

/** The fields of `GET /v1/download/status/{jobId}` that this loop needs. */
export interface JobStatus {
  jobId: string;
  status:
    | "queued"
    | "running"
    | "processing_artifacts"
    | "completed"
    | "failed"
    | "canceled"
    | "expired";
  progress: number;
  nextPollInMs: number | null;
  error: { code: string; message: string } | null;
}

export interface PollOptions {
  /** Returns the value of the header: `Bearer …` or `Basic …`. Called before each request, so that it may be renewed. */
  authorization: () => string | Promise<string>;
  /** Aborts the wait, between two requests and during one. */
  signal?: AbortSignal;
  /** Called with each status, including the last one. */
  onStatus?: (status: JobStatus) => void;
  /** Number of transient failures in a row before the wait fails. */
  retries?: number;
  /** Pauses; replaceable in tests. */
  pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** A permanent failure: 401, 403, 404, or too many transient failures. `status` is 0 without a response. */
export class JobError extends Error {
  readonly status: number;
  readonly code: string | undefined;

  constructor(status: number, code: string | undefined, message: string) {
    super(message);
    this.name = "JobError";
    this.status = status;
    this.code = code;
  }
}

/** Resolves with the last status of the job, in every outcome; rejects when it cannot be read. */
export async function waitForJob(
  api: string,
  jobId: string,
  options: PollOptions,
): Promise<JobStatus> {
  const { authorization, signal, onStatus, retries = 6, pause = sleep } = options;
  const url = `${api}/v1/download/status/${encodeURIComponent(jobId)}`;
  let failures = 0;
  for (;;) {
    const headers = { Accept: "application/json", Authorization: await authorization() };
    let answer: Response | undefined;
    let status: JobStatus | undefined;
    try {
      answer = await fetch(url, { headers, signal, cache: "no-store" });
      if (answer.ok) status = await statusOf(answer);
    } catch (error) {
      // A broken connection is transient, also in the middle of a body; an abort is the
      // caller's own.
      if (signal?.aborted || failures >= retries) throw error;
    }
    if (status) {
      failures = 0;
      onStatus?.(status);
      if (status.nextPollInMs === null) return status;
      await pause(status.nextPollInMs, signal);
      continue;
    }
    failures += 1;
    if (answer && !answer.ok) {
      const mayPass = answer.status === 429 || answer.status >= 500;
      if (!mayPass || failures > retries) throw await refusal(answer);
      await answer.body?.cancel();
    } else if (failures > retries) {
      throw new JobError(answer?.status ?? 0, undefined, "the answer is not the status of a job");
    }
    await pause(retryAfter(answer) ?? backoff(failures), signal);
  }
}

/**
 * Returns the status in a response with 200; undefined when the body is not a status, such as
 * the sign-in page of a proxy. Rejects when the body was truncated.
 */
async function statusOf(answer: Response): Promise<JobStatus | undefined> {
  if (mediaType(answer) !== "application/json") {
    await answer.body?.cancel();
    return undefined;
  }
  const value = await answer.json();
  const next = value?.nextPollInMs;
  const isStatus = typeof value?.status === "string" && (next === null || typeof next === "number");
  return isStatus ? (value as JobStatus) : undefined;
}

/** Returns the media type of a response in lower case, without parameters. */
export function mediaType(answer: Response): string {
  return (answer.headers.get("Content-Type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/** Returns `Retry-After` in milliseconds: from seconds, or from a date relative to the response's `Date`. */
export function retryAfter(answer: Response | undefined): number | undefined {
  const value = answer?.headers.get("Retry-After");
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const wait = Date.parse(value) - Date.parse(answer?.headers.get("Date") ?? "");
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}

/** Returns an exponential backoff in milliseconds: 500 doubled up to 10,000, with jitter so that clients do not return at once. */
export function backoff(failures: number): number {
  return Math.min(500 * 2 ** (failures - 1), 10_000) * (0.5 + Math.random() / 2);
}

/** Converts an error response. Problem documents (RFC 9457) have a stable `code`; a proxy's own page has none. */
export async function refusal(answer: Response): Promise<JobError> {
  const problem = await answer.json().catch(() => ({}));
  const message = problem.detail ?? problem.title ?? `HTTP ${answer.status}`;
  return new JobError(answer.status, problem.code, message);
}

/** Resolves after a time; rejects at once when the signal fires. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

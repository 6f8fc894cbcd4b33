// Follows a job by asking how it is, in a browser or in Node, until it has ended.
//
// The service says when to ask again: `nextPollInMs` of each status, and `Retry-After`
// of an answer that turns the caller away. Whoever keeps to both is never throttled for
// asking too often, and is told of an end at most a tenth late.

/** As `GET /v1/download/status/{jobId}` answers; the fields that this loop needs. */
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
  /** The whole header: `Bearer …`, or `Basic …`. Asked for before each call, so that it may be renewed. */
  authorization: () => string | Promise<string>;
  /** Ends the waiting, between two calls and within one. */
  signal?: AbortSignal;
  /** Told of each status, the last one too. */
  onStatus?: (status: JobStatus) => void;
  /** How often in a row a failure that may pass is put up with. */
  retries?: number;
  /** Waits; to be replaced in tests. */
  pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** An answer that asking again does not mend: 401, 403, 404, or too many failures. `status` is 0 without any answer. */
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

/** Resolves with the last status, whichever it is; rejects when nobody can tell it. */
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
      // A connection that broke may come back, also one that broke in the middle of a
      // body; an abort is what the caller wanted.
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
 * The status in an answer with 200; undefined when it is something else, such as the page of
 * a proxy that wants a sign-in. Rejects when the body was cut off.
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

/** The media type of an answer, without parameters and in small letters. */
export function mediaType(answer: Response): string {
  return (answer.headers.get("Content-Type") ?? "").split(";")[0]!.trim().toLowerCase();
}

/** `Retry-After` in milliseconds: seconds, or a date, taken relative to the answer's own. */
export function retryAfter(answer: Response | undefined): number | undefined {
  const value = answer?.headers.get("Retry-After");
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const wait = Date.parse(value) - Date.parse(answer?.headers.get("Date") ?? "");
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}

/** Half a second, doubled each time up to ten, and spread: a thousand clients must not return at once. */
export function backoff(failures: number): number {
  return Math.min(500 * 2 ** (failures - 1), 10_000) * (0.5 + Math.random() / 2);
}

/** Problem documents (RFC 9457) have a stable `code`; a proxy's own page has none. */
export async function refusal(answer: Response): Promise<JobError> {
  const problem = await answer.json().catch(() => ({}));
  const message = problem.detail ?? problem.title ?? `HTTP ${answer.status}`;
  return new JobError(answer.status, problem.code, message);
}

/** Rejects at once when the signal fires. */
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

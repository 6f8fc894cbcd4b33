// Follows a job by its events. `EventSource` cannot send a header, so a caller with a
// bearer token reads the stream with fetch. Like an `EventSource`, the loop below parses,
// reconnects, and resumes after the last event that it received.

import { backoff, JobError, mediaType, refusal, retryAfter, sleep } from "./poll.ts";

export interface JobEvent {
  /** `status`, `progress`, `result` or `error`; `message` for the whole status after each change. */
  type: string;
  /** Id from which to resume after a broken connection. */
  id: string;
  /** The event's JSON. */
  data: unknown;
}

export interface SubscribeOptions {
  /** Returns the value of the header. Called before each connection, so that it may be renewed. */
  authorization: () => string | Promise<string>;
  /** Aborts the subscription. */
  signal?: AbortSignal;
  /** Called with each event, in order. */
  onEvent: (event: JobEvent) => void | Promise<void>;
  /** Resumes after this event. */
  lastEventId?: string;
  /** Number of connections in a row that may fail without an event. */
  retries?: number;
  /** Pauses; replaceable in tests. */
  pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** Resolves when the job has ended and all of its events were received. */
export async function subscribe(
  api: string,
  jobId: string,
  options: SubscribeOptions,
): Promise<void> {
  const { authorization, signal, onEvent, retries = 6, pause = sleep } = options;
  const url = `${api}/v1/download/subscribe/${encodeURIComponent(jobId)}`;
  let lastEventId = options.lastEventId ?? "";
  let reconnectAfter = 1000;
  let failures = 0;
  for (;;) {
    const headers = new Headers({ Accept: "text/event-stream" });
    headers.set("Authorization", await authorization());
    if (lastEventId) headers.set("Last-Event-ID", lastEventId);
    let answer: Response | undefined;
    try {
      answer = await connection(fetch(url, { headers, signal, cache: "no-store" }));
      // 204: the job has ended, and its end was sent before.
      if (answer.status === 204) return;
      if (answer.status === 200 && mediaType(answer) === "text/event-stream" && answer.body) {
        let isStream = false;
        for await (const frame of frames(answer.body)) {
          isStream = true;
          if (frame.retry !== undefined) reconnectAfter = frame.retry;
          // Only a complete event advances the position from which to resume.
          const data = frame.data === undefined ? undefined : parsed(frame.data);
          if (frame.id !== undefined) lastEventId = frame.id;
          if (data === undefined) continue;
          failures = 0;
          await onEvent({ type: frame.event ?? "message", id: lastEventId, data });
        }
        // The stream has ended, because the job ended (the next response is a 204) or the
        // connection did. Each stream begins with `retry`.
        if (isStream) {
          await pause(reconnectAfter, signal);
          continue;
        }
      } else if (answer.ok) {
        // For example the page of a proxy.
        await answer.body?.cancel();
      }
    } catch (error) {
      // Anything else is an abort, or an error of `onEvent`.
      if (signal?.aborted || !(error instanceof BrokenConnection)) throw error;
    }
    const mayPass = !answer || answer.ok || answer.status === 429 || answer.status >= 500;
    if (++failures > retries || !mayPass) {
      if (!answer) throw new BrokenConnection("the service cannot be reached");
      if (answer.ok) throw new JobError(answer.status, undefined, "the answer is no stream of events");
      throw await refusal(answer);
    }
    await pause(retryAfter(answer) ?? Math.max(backoff(failures), reconnectAfter), signal);
  }
}

/** The response was incomplete; another connection may succeed. */
export class BrokenConnection extends Error {}

function connection<T>(work: Promise<T>): Promise<T> {
  return work.catch((cause) => {
    throw new BrokenConnection("the connection broke", { cause });
  });
}

/** Parses the JSON of an event. Invalid JSON means that the event was not complete. */
function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new BrokenConnection("an event is not JSON", { cause });
  }
}

interface Frame {
  event?: string;
  id?: string;
  data?: string;
  retry?: number;
}

/** Yields the blocks of an event stream, parsed as in the HTML standard; comments are skipped. */
export async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  let frame: Frame = {};
  for await (const line of lines(body)) {
    if (line === "") {
      if (Object.keys(frame).length > 0) yield frame;
      frame = {};
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`;
    else if (field === "event") frame.event = value;
    else if (field === "id" && !value.includes("\0")) frame.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) frame.retry = Number(value);
  }
  // A block without its empty line was truncated and is discarded.
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await connection(reader.read());
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      // A CR at the end may be the first half of a CR LF.
      const complete = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
      const parts = complete.split(/\r\n|\n|\r/);
      rest = (parts.pop() ?? "") + rest.slice(complete.length);
      yield* parts;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

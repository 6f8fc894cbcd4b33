// Follows a job with the browser's own EventSource. It sends no Authorization header, so
// this is for pages whose calls go through a proxy that puts one on them, by the page's
// session; others use subscribe.ts. It reconnects by itself, with Last-Event-ID.

export interface Followed {
  /** No event comes any more; how the job stands is its status's to say. */
  ended: Promise<void>;
  /** Stops listening. */
  close: () => void;
}

/** `onEvent` is told the type and the JSON of each event. */
export function follow(
  api: string,
  jobId: string,
  onEvent: (type: string, data: unknown) => void,
): Followed {
  const url = `${api}/v1/download/subscribe/${encodeURIComponent(jobId)}`;
  const source = new EventSource(url);
  const ended = new Promise<void>((resolve) => {
    for (const type of ["status", "progress", "result", "error"]) {
      source.addEventListener(type, (event) => {
        // The job's `error` comes under the name that a broken connection has, too: only
        // the first carries data.
        if (event instanceof MessageEvent) return onEvent(type, JSON.parse(event.data));
        // CONNECTING: it is trying again, by itself. CLOSED: a 204, which is the end, or a
        // refusal; an EventSource does not say which, the job's status does.
        if (source.readyState === EventSource.CLOSED) resolve();
      });
    }
  });
  return { ended, close: () => source.close() };
}

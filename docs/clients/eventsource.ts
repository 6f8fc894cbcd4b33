// Follows a job with the browser's own EventSource. EventSource sends no Authorization
// header, so this client is for pages behind a proxy that adds the header from the page's
// session; other pages use subscribe.ts. EventSource reconnects by itself, with Last-Event-ID.

export interface Followed {
  /** Resolves when no more events come; the job's status says how it ended. */
  ended: Promise<void>;
  /** Closes the connection. */
  close: () => void;
}

/** Calls `onEvent` with the type and the JSON of each event. */
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
        // The job's `error` event has the same name as that of a broken connection; only the
        // former carries data.
        if (event instanceof MessageEvent) return onEvent(type, JSON.parse(event.data));
        // CONNECTING: it reconnects by itself. CLOSED: a 204, which is the end, or an error
        // response. An EventSource does not expose which; the job's status does.
        if (source.readyState === EventSource.CLOSED) resolve();
      });
    }
  });
  return { ended, close: () => source.close() };
}

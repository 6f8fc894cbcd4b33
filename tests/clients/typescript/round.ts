// Makes a series of calls with the TypeScript client that openapi-generator creates. Reads the
// parameters from DOCFERRY_ROUND and prints the results as one JSON document.

import {
  Configuration,
  DeliveriesApi,
  DownloadsApi,
  HealthApi,
  ProblemFromJSON,
  ResponseError,
} from "./client";

declare const process: { env: Record<string, string>; exitCode: number };

const round = JSON.parse(process.env.DOCFERRY_ROUND);
const sleep = (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds));

/** Makes a call, and repeats it while the API limits its callers. */
async function call<T>(method: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await method();
    } catch (error) {
      if (!(error instanceof ResponseError) || error.response.status !== 429) throw error;
      await sleep(1000);
    }
  }
}

/** Returns the typed problem document of a call that must be refused. */
async function problem(method: () => Promise<unknown>) {
  try {
    await call(method);
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const refused = ProblemFromJSON(await error.response.json());
    const pointer = refused.errors?.[0]?.pointer ?? null;
    return { status: refused.status, code: refused.code, pointer };
  }
  throw new Error("the call was not refused");
}

// With this header, fetchJob gets JSON instead of a redirect to the document.
const common = { basePath: round.api, headers: { Accept: "application/json" } };
const { username, password, token } = round;
const basic = new Configuration({ ...common, username, password });
const downloads = new DownloadsApi(new Configuration({ ...common, accessToken: token }));
const deliveries = new DeliveriesApi(basic);

async function start(fileId: number): Promise<string> {
  const initiateRequest = { fileId };
  return (await call(() => downloads.initiateDownload({ initiateRequest }))).jobId;
}

/** Polls at the interval that the service asks for, until the job has ended. */
async function ended(jobId: string) {
  for (;;) {
    const status = await call(() => downloads.getJobStatus({ jobId }));
    if (status.nextPollInMs === null) return status;
    await sleep(status.nextPollInMs);
  }
}

async function main() {
  const health = await call(() => new HealthApi(basic).getHealth());
  const checkRequest = { fileId: round.largeFile };
  const large = await call(() => downloads.checkDocument({ checkRequest }));

  const job = await start(round.file);
  const done = await ended(job);
  const query = { jobId: job, progress: "detail" as const };
  const { progress: detail } = await call(() => downloads.getJobStatus(query));
  if (typeof detail === "number") throw new Error("progress has no detail");
  const fetched = await call(() => downloads.fetchJob({ jobId: job }));

  const slow = await start(round.slowFile);
  const early = await problem(() => downloads.fetchJob({ jobId: slow }));
  const canceling = await call(() => downloads.cancelJob({ jobId: slow }));
  const canceled = await ended(slow);
  const again = await problem(() => downloads.cancelJob({ jobId: slow }));

  const page = await call(() => downloads.listHistory({ pageSize: 50 }));
  const none = { initiateRequest: { fileId: 0 } };
  const invalid = await problem(() => downloads.initiateDownload(none));
  const unknown = await problem(() => downloads.getJobStatus({ jobId: "0".repeat(32) }));

  const uploadRequest = { objGuid: round.guid, email: round.email };
  const { transferId } = await call(() => deliveries.uploadDocument({ uploadRequest }));
  let transfer = await call(() => deliveries.getTransferStatus({ transferId }));
  while (transfer.endDeliveryDtm === null) {
    await sleep(1000);
    transfer = await call(() => deliveries.getTransferStatus({ transferId }));
  }
  const terminateRequest = { transferIds: [transferId] };
  const stopped = await call(() => deliveries.terminateTransfers({ terminateRequest }));

  const ids = page.items.map((item) => item.jobId);
  console.log(
    JSON.stringify({
      health: health.status,
      large: { available: large.available, size: large.size },
      job: {
        status: done.status,
        progress: done.progress,
        bytesTotal: done.items[0].bytesTotal,
      },
      detail: { percent: detail.percent, bytesDone: detail.bytesDone, phase: detail.phase },
      url: fetched.url,
      early,
      canceling: canceling.status,
      canceled: canceled.status,
      again,
      history: ids.length === 2 && ids[0] === slow && ids[1] === job,
      invalid,
      unknown,
      transfer: {
        percent: transfer.percentTransfered,
        error: transfer.error,
        fileSize: transfer.fileSize,
      },
      stopped: stopped.response,
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});

// Makes a round, a fixed series of API calls, with the TypeScript client that openapi-generator
// creates from openapi.yaml. Reads the parameters as JSON from the environment variable
// DOCFERRY_ROUND and prints the results as one JSON document, which tests/tests/clients.rs checks.

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

/** Makes a call, and repeats it while the API throttles it (status 429). */
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

/** Starts a job that downloads a document, and returns the id of the job. */
async function startJob(fileId: number): Promise<string> {
  const initiateRequest = { fileId };
  return (await call(() => downloads.initiateDownload({ initiateRequest }))).jobId;
}

/** Polls at the interval that the API asks for until the job has ended. Returns the last status. */
async function waitForEnd(jobId: string) {
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

  const job = await startJob(round.file);
  const status = await waitForEnd(job);
  const query = { jobId: job, progress: "detail" as const };
  const { progress: detail } = await call(() => downloads.getJobStatus(query));
  if (typeof detail === "number") throw new Error("progress has no detail");
  const fetched = await call(() => downloads.fetchJob({ jobId: job }));

  const slowJob = await startJob(round.slowFile);
  const earlyFetch = await problem(() => downloads.fetchJob({ jobId: slowJob }));
  const canceling = await call(() => downloads.cancelJob({ jobId: slowJob }));
  const canceled = await waitForEnd(slowJob);
  const repeatedCancel = await problem(() => downloads.cancelJob({ jobId: slowJob }));

  const page = await call(() => downloads.listHistory({ pageSize: 50 }));
  const invalidRequest = { initiateRequest: { fileId: 0 } };
  const invalid = await problem(() => downloads.initiateDownload(invalidRequest));
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

  const listedJobs = page.items.map((item) => item.jobId);
  console.log(
    JSON.stringify({
      health: health.status,
      large: { available: large.available, size: large.size },
      job: {
        status: status.status,
        progress: status.progress,
        bytesTotal: status.items[0].bytesTotal,
      },
      detail: { percent: detail.percent, bytesDone: detail.bytesDone, phase: detail.phase },
      url: fetched.url,
      earlyFetch,
      canceling: canceling.status,
      canceled: canceled.status,
      repeatedCancel,
      history: listedJobs.length === 2 && listedJobs[0] === slowJob && listedJobs[1] === job,
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

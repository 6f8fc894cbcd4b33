"""Makes a round, a fixed series of API calls, with the Python client that openapi-generator creates
from openapi.yaml.

Reads the parameters as JSON from the environment variable DOCFERRY_ROUND and prints the results as
one JSON document, which tests/tests/clients.rs checks.
"""

import json
import os
import time

from openapi_client import ApiClient, Configuration, exceptions
from openapi_client.api import DeliveriesApi, DownloadsApi, HealthApi
from openapi_client.models import (
    CheckRequest,
    InitiateRequest,
    ProgressDetail,
    TerminateRequest,
    UploadRequest,
)

ROUND = json.loads(os.environ["DOCFERRY_ROUND"])


def client(**credentials):
    return ApiClient(Configuration(host=ROUND["api"], **credentials))


def call(method, *arguments, **options):
    """Makes a call, and repeats it while the API throttles it (status 429)."""
    while True:
        try:
            return method(*arguments, **options)
        except exceptions.ApiException as refused:
            if refused.status != 429:
                raise
            time.sleep(1)


def problem(method, *arguments):
    """Returns the typed problem document of a call that must be refused."""
    try:
        response = call(method, *arguments)
    except exceptions.ApiException as refused:
        pointers = [error.pointer for error in getattr(refused.data, "errors", None) or []]
        pointer = pointers[0] if pointers else None
        return {"status": refused.data.status, "code": refused.data.code, "pointer": pointer}
    raise AssertionError(f"the call was not refused: {response}")


basic = client(username=ROUND["username"], password=ROUND["password"])
downloads = DownloadsApi(client(access_token=ROUND["token"]))
deliveries = DeliveriesApi(basic)


def start_job(file):
    """Starts a job that downloads a document, and returns the id of the job."""
    return call(downloads.initiate_download, InitiateRequest(file_id=file)).job_id


def wait_for_end(job):
    """Polls at the interval that the API asks for until the job has ended. Returns the status."""
    while True:
        status = call(downloads.get_job_status, job)
        if status.next_poll_in_ms is None:
            return status
        time.sleep(status.next_poll_in_ms / 1000)


health = call(HealthApi(basic).get_health)
large = call(downloads.check_document, CheckRequest(file_id=ROUND["largeFile"]))

job = start_job(ROUND["file"])
status = wait_for_end(job)
detail = call(downloads.get_job_status, job, progress="detail").progress.actual_instance
assert isinstance(detail, ProgressDetail)
fetched = call(downloads.fetch_job, job)

slow_job = start_job(ROUND["slowFile"])
early_fetch = problem(downloads.fetch_job, slow_job)
canceling = call(downloads.cancel_job, slow_job)
canceled = wait_for_end(slow_job)
repeated_cancel = problem(downloads.cancel_job, slow_job)

page = call(downloads.list_history, page_size=50)
invalid = problem(downloads.initiate_download, InitiateRequest(file_id=0))
unknown = problem(downloads.get_job_status, "0" * 32)

accepted = call(
    deliveries.upload_document, UploadRequest(obj_guid=ROUND["guid"], email=ROUND["email"])
)
while True:
    transfer = call(deliveries.get_transfer_status, accepted.transfer_id)
    if transfer.end_delivery_dtm is not None:
        break
    time.sleep(1)
stopped = call(
    deliveries.terminate_transfers, TerminateRequest(transfer_ids=[accepted.transfer_id])
)

print(
    json.dumps(
        {
            "health": health.status,
            "large": {"available": large.available, "size": large.size},
            "job": {
                "status": status.status,
                "progress": status.progress.actual_instance,
                "bytesTotal": status.items[0].bytes_total,
            },
            "detail": {
                "percent": detail.percent,
                "bytesDone": detail.bytes_done,
                "phase": detail.phase,
            },
            "url": fetched.url,
            "earlyFetch": early_fetch,
            "canceling": canceling.status,
            "canceled": canceled.status,
            "repeatedCancel": repeated_cancel,
            "history": [item.job_id for item in page.items] == [slow_job, job],
            "invalid": invalid,
            "unknown": unknown,
            "transfer": {
                "percent": transfer.percent_transfered,
                "error": transfer.error,
                "fileSize": transfer.file_size,
            },
            "stopped": stopped.response,
        }
    )
)

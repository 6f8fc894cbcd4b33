"""Changes generated requests so that they use existing documents and jobs, and limits the
number of jobs and transfers.

Generated numbers and ids are almost always unknown, so that all responses would be 400 or
404. Therefore some requests get a known number or id. The choice depends on counters and not
on chance, so that a run with the same seed is repeatable.
"""

import collections
import os

import schemathesis

# Numbers of documents in the index.
FILES = [int(number) for number in os.environ["DOCFERRY_API_FILES"].split(",")]

# A number that is not in the index.
NO_FILE = 10_000

# Operations that create jobs or transfers, and the path parameter for their ids.
CREATING = {"uploadDocument": "transferId", "initiateDownload": "jobId", "startDownload": "jobId"}

# Maximum number of jobs and transfers per run. Jobs deliver a document; transfers fail,
# because their documents do not exist.
LIMITS = {"transferId": 20, "jobId": 60}

# Every how many calls an existing id is used (default 2). Streams last for seconds, and jobs
# that are canceled immediately never reach their later states, so both are used less often.
INTERVALS = {"subscribeToJob": 20, "cancelJob": 6}

calls = collections.Counter()
# Known ids by the name of their path parameter.
known = {"jobId": [], "transferId": []}


def operation_id(case):
    return case.operation.definition.raw["operationId"]


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = operation_id(case)
    calls[operation] += 1
    if operation in CREATING or operation == "checkDocument":
        prepare_document_request(operation, case)
    for name, ids in known.items():
        parameters = case.path_parameters or {}
        if name in parameters and ids and calls[operation] % INTERVALS.get(operation, 2) == 0:
            parameters[name] = ids[calls[operation] // 2 % len(ids)]


def prepare_document_request(operation, case):
    body = case.body
    if not isinstance(body, dict):
        return
    if str(body.get("callbackUrl", "")).lower().startswith("https:"):
        # No process listens there, and no other host is called.
        body["callbackUrl"] = "https://127.0.0.1:9/ended"
    made = CREATING.get(operation)
    if made and len(known[made]) >= LIMITS[made]:
        # The limit is reached: the request is made invalid, so that it creates nothing.
        body.pop("file_ids", None)
        body.update({"objGuid": "!"} if operation == "uploadDocument" else {"file_id": NO_FILE})
    elif operation != "uploadDocument" and calls[operation] % 4 == 0:
        body.pop("file_ids", None)
        body["file_id"] = FILES[calls[operation] // 4 % len(FILES)]


@schemathesis.hook
def after_call(context, case, response):
    made = CREATING.get(operation_id(case))
    if made and response.status_code == 202:
        known[made].append(response.json()[made])

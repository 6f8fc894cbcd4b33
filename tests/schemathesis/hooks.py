"""Hooks of Schemathesis, the program that tests the API with generated requests. They change
generated requests so that the requests use existing documents and jobs, and limit the number of
jobs and transfers.

Almost all generated numbers and ids are unknown, so almost all responses would be 400 or 404.
Therefore the hooks put a known number or id into some requests. Counters determine these requests,
and not chance, so that a run with the same seed is repeatable.
"""

import collections
import os

import schemathesis

# Numbers of documents that are in the document registry.
FILES = [int(number) for number in os.environ["DOCFERRY_API_FILES"].split(",")]

# A number that is not in the index.
NO_FILE = 10_000

# Operations that create jobs or transfers, and the path parameter for their ids.
CREATING = {"uploadDocument": "transferId", "initiateDownload": "jobId", "startDownload": "jobId"}

# Maximum number of jobs and transfers per run. Jobs deliver a document; transfers fail,
# because their documents do not exist.
LIMITS = {"transferId": 20, "jobId": 60}

# An existing id is used in every n-th call of an operation; n is 2 by default. It is higher for
# streams, which last for seconds, and for cancel requests, because canceled jobs never reach their
# later states.
INTERVALS = {"subscribeToJob": 20, "cancelJob": 6}

# Number of calls by operation.
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
    """Makes a request that names documents useful and harmless."""
    body = case.body
    if not isinstance(body, dict):
        return
    if str(body.get("callbackUrl", "")).lower().startswith("https:"):
        # No process listens on this port, so no real host is called.
        body["callbackUrl"] = "https://127.0.0.1:9/ended"
    guids = body.get("objGuids")
    if isinstance(guids, list) and len(guids) <= 1000:
        # Each entry makes a transfer that fails, so long valid lists are shortened.
        body["objGuids"] = guids[:3]
    id_name = CREATING.get(operation)
    if id_name and len(known[id_name]) >= LIMITS[id_name]:
        # The limit is reached, so the request is made invalid and creates nothing.
        remove_lists(body)
        body.update({"objGuid": "!"} if operation == "uploadDocument" else {"file_id": NO_FILE})
    elif operation != "uploadDocument" and calls[operation] % 4 == 0:
        remove_lists(body)
        body["file_id"] = FILES[calls[operation] // 4 % len(FILES)]


def remove_lists(body):
    """Removes the lists of documents, with the members that are allowed only with such a list."""
    for name in ("file_ids", "objGuids", "courtFile", "class"):
        body.pop(name, None)


@schemathesis.hook
def after_call(context, case, response):
    id_name = CREATING.get(operation_id(case))
    if id_name and response.status_code == 202:
        known[id_name].append(response.json()[id_name])

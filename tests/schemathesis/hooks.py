"""Leads random requests to documents and jobs that exist, and to no more work than the
system is meant to carry meanwhile.

Random numbers and ids are nearly always unknown: the answers would all be 400 and 404.
So some requests get a number or an id that is known. Everything is counted and nothing
drawn, so that a seed gives the same run again.
"""

import collections
import os

import schemathesis

# Numbers of documents that the index knows.
FILES = [int(number) for number in os.environ["DOCFERRY_API_FILES"].split(",")]

# A number that it does not know.
NO_FILE = 10_000

# What makes work, and the parameter that takes the id of what it made.
CREATING = {"uploadDocument": "transferId", "initiateDownload": "jobId", "startDownload": "jobId"}

# How much of each a run may make. Jobs bring a document, transfers fail: nobody has what
# they ask for.
MOST = {"transferId": 20, "jobId": 60}

# One call of how many is about something that exists. A stream lasts for seconds, and
# what is canceled at once never gets to its later states.
SHARES = {"subscribeToJob": 20, "cancelJob": 6}

calls = collections.Counter()
# Ids by the name of the parameter that takes them.
known = {"jobId": [], "transferId": []}


def operation_id(case):
    return case.operation.definition.raw["operationId"]


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = operation_id(case)
    calls[operation] += 1
    if operation in CREATING or operation == "checkDocument":
        ask_for_a_document(operation, case)
    for name, ids in known.items():
        parameters = case.path_parameters or {}
        if name in parameters and ids and calls[operation] % SHARES.get(operation, 2) == 0:
            parameters[name] = ids[calls[operation] // 2 % len(ids)]


def ask_for_a_document(operation, case):
    body = case.body
    if not isinstance(body, dict):
        return
    if str(body.get("callbackUrl", "")).lower().startswith("https:"):
        # Nobody is there, and nobody elsewhere hears of it.
        body["callbackUrl"] = "https://127.0.0.1:9/ended"
    made = CREATING.get(operation)
    if made and len(known[made]) >= MOST[made]:
        # Whatever else it says, it makes nothing.
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

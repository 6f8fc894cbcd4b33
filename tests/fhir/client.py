"""Searches, pages and reads documents with fhirpy, a public FHIR client.

Reads the parameters as JSON from the environment variable DOCFERRY_FHIR_INPUT and prints the results
as one JSON document, which tests/tests/system/fhir.rs checks.
"""

import json
import os
import time

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, OperationOutcome, ResourceNotFound

INPUT = json.loads(os.environ["DOCFERRY_FHIR_INPUT"])
RESOURCE = "DocumentReference"


class CountingClient(SyncFHIRClient):
    """Client that counts its requests."""

    requests = 0

    def _do_request(self, *arguments, **options):
        type(self).requests += 1
        return super()._do_request(*arguments, **options)


def call(method, *arguments):
    """Makes a call, and repeats it while the API throttles it."""
    while True:
        try:
            CountingClient.requests = 0
            return method(*arguments)
        except OperationOutcome as refused:
            if "throttled" not in str(refused).lower():
                raise
            time.sleep(1)


def error(kind, method, *arguments):
    """Returns the code of the response to a call that must be refused with this error."""
    try:
        call(method, *arguments)
    except kind as refused:
        outcome = getattr(refused, "resource", None) or json.loads(str(refused))
        # The gateway refuses callers with a problem document, which is not FHIR.
        return outcome["issue"][0]["code"] if "issue" in outcome else outcome["code"]
    raise AssertionError("the call was not refused")


client = CountingClient(INPUT["api"], authorization=f"Bearer {INPUT['token']}")
documents = client.resources(RESOURCE)
of_subject = documents.search(**{"subject.identifier": INPUT["subject"]})


def read(id):
    """Reads a document by the reference that a search returned."""
    return client.reference(RESOURCE, id).to_resource()


listed = call(of_subject.sort("date").limit(INPUT["count"]).fetch_all)
pages = CountingClient.requests
newest = call(of_subject.sort("-date").first)
first = call(read, listed[0].id)
by_id = call(documents.search(_id=listed[1].id).get)
by_date = call(of_subject.search(date__ge=listed[-2].date).fetch_all)
stranger = CountingClient(INPUT["api"], authorization="Bearer invalid")

print(
    json.dumps(
        {
            "ids": [document.id for document in listed],
            "pages": pages,
            "newest": newest.id,
            "first": first.serialize() == listed[0].serialize(),
            "byId": by_id.id == listed[1].id,
            "byDate": len(by_date),
            "title": first.content[0].attachment.title,
            "unknown": error(ResourceNotFound, read, "unknown"),
            "invalid": error(OperationOutcome, documents.search(_id="a_b").fetch),
            "stranger": error(
                AuthorizationError, stranger.reference(RESOURCE, listed[0].id).to_resource
            ),
        }
    )
)

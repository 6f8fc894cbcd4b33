"""Validates FHIR resources in a folder of JSON files with the models of `fhir.resources` (R4B).

Usage: validate.py FOLDER

R4B and R4 have the same DocumentReference, Bundle, OperationOutcome and CapabilityStatement. The
models do not check value sets, nor all invariants; those that matter here follow below.
"""

import json
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from fhir.resources.R4B import get_fhir_model_class

# https://hl7.org/fhir/R4/valueset-issue-type.html
ISSUE_TYPES = set(
    """invalid structure required value invariant security login unknown expired forbidden
    suppressed processing not-supported duplicate multiple-matches not-found deleted too-long
    code-invalid extension too-costly business-rule conflict transient lock-error no-store
    exception timeout incomplete throttled informational""".split()
)
DOCUMENT_STATUS = {"current", "superseded", "entered-in-error"}
COMPOSITION_STATUS = {"preliminary", "final", "amended", "entered-in-error"}
PARAMETER_TYPES = {
    "number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special",
}


def strings(value):
    """Yields every string and every container of a JSON value."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        yield value
        for element in value:
            yield from strings(element)
    elif isinstance(value, str):
        yield value


def check_document(resource):
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource["id"])
    assert resource["status"] in DOCUMENT_STATUS
    assert resource["docStatus"] in COMPOSITION_STATUS
    for content in resource["content"]:
        assert 0 <= content["attachment"].get("size", 0) < 2**31
        assert urlsplit(content["attachment"]["url"]).path.endswith(f"/{resource['id']}/$content")


def check_bundle(resource):
    assert resource["type"] == "searchset"
    relations = [link["relation"] for link in resource["link"]]
    assert relations in (["self"], ["self", "next"]), relations
    urls = [entry["fullUrl"] for entry in resource.get("entry", [])]
    assert len(urls) == len(set(urls)), "an entry occurs twice"
    for entry in resource.get("entry", []):
        assert entry["search"]["mode"] == "match"
        assert entry["fullUrl"].endswith(f"/DocumentReference/{entry['resource']['id']}")
        check_document(entry["resource"])


def check_outcome(resource):
    for issue in resource["issue"]:
        assert issue["code"] in ISSUE_TYPES, issue["code"]


def check_capabilities(resource):
    # Invariants cpb-2, cpb-15 and cpb-12.
    assert resource["kind"] == "instance" and "url" in resource["implementation"]
    assert resource["fhirVersion"] == "4.0.1"
    for rest in resource["rest"]:
        for kind in rest["resource"]:
            names = [parameter["name"] for parameter in kind["searchParam"]]
            assert len(names) == len(set(names))
            assert {parameter["type"] for parameter in kind["searchParam"]} <= PARAMETER_TYPES


CHECKS = {
    "DocumentReference": check_document,
    "Bundle": check_bundle,
    "OperationOutcome": check_outcome,
    "CapabilityStatement": check_capabilities,
}


def validate(text):
    resource = json.loads(text)
    for value in strings(resource):
        # FHIR forbids empty strings, arrays and objects, and control characters.
        assert value, "an empty value"
        if isinstance(value, str):
            assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", value), "a control character"
    model = get_fhir_model_class(resource["resourceType"])
    parsed = json.loads(model.model_validate_json(text).model_dump_json())
    missing = set(resource) - set(parsed)
    assert not missing, f"members that the model dropped: {missing}"
    CHECKS[resource["resourceType"]](resource)
    return resource["resourceType"]


def main(folder):
    passed, failed, kinds = 0, 0, set()
    for file in sorted(Path(folder).glob("*.json")):
        try:
            kinds.add(validate(file.read_text(encoding="utf-8")))
            passed += 1
        except Exception as error:  # Each file is reported.
            failed += 1
            print(f"{file.name}: {type(error).__name__}: {error}")
    print(f"{passed} passed, {failed} failed")
    missing = set(CHECKS) - kinds
    if missing:
        print(f"no sample of {', '.join(sorted(missing))}")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

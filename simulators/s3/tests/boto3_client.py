"""Checks the S3 simulator with boto3, a client that was written elsewhere.

Usage: boto3_client.py ENDPOINT BUCKET ACCESS_KEY

Uploads, copies and completes as an assembler of archives does, and tries the requests that S3
refuses. It prints every step whose result differs, and then ends with an exit code other than 0.
Against an emulator, it shows which rules of S3 the emulator lacks; the bucket must exist.
"""

import base64
import struct
import sys
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, BUCKET, ACCESS_KEY = sys.argv[1:4]
MIB = 1024 * 1024
LARGE = bytes(range(256)) * (12 * MIB // 256)
SMALL = b"s" * (5 * MIB)

s3 = boto3.client(
    "s3",
    endpoint_url=ENDPOINT,
    region_name="ca-central-1",
    aws_access_key_id=ACCESS_KEY,
    aws_secret_access_key="unchecked",
    config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, proxies={}),
)
differences = []


def crc(data):
    return base64.b64encode(struct.pack(">I", zlib.crc32(data))).decode()


def check(step, found, expected):
    if found != expected:
        differences.append(step)
        print(f"{step}: {found} instead of {expected}", flush=True)


def call(operation, expected="", step=None, **arguments):
    """Calls an operation and compares its error code, which is empty if it succeeds."""
    try:
        answer, code = getattr(s3, operation)(Bucket=BUCKET, **arguments), ""
    except ClientError as error:
        answer, code = error.response, error.response["Error"]["Code"]
    check(step or operation, code, expected)
    return answer


def create(key, checksum_type):
    answer = call(
        "create_multipart_upload", Key=key, ChecksumAlgorithm="CRC32", ChecksumType=checksum_type
    )
    check("type of a created upload", answer.get("ChecksumType"), checksum_type)
    return {"Key": key, "UploadId": answer["UploadId"]}


def upload_part(upload, number, body, **arguments):
    answer = call("upload_part", PartNumber=number, Body=body, **upload, **arguments)
    check("CRC of an uploaded part", answer.get("ChecksumCRC32"), crc(body))
    return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": crc(body)}


def copy_part(upload, number, body, expected="", step="upload_part_copy", key="large", **arguments):
    source = {"Bucket": BUCKET, "Key": key}
    answer = call(
        "upload_part_copy", expected, step, PartNumber=number, CopySource=source, **upload, **arguments
    )
    if body is None:
        return None
    result = answer["CopyPartResult"]
    check("CRC of a copied part", result.get("ChecksumCRC32"), crc(body))
    return {"PartNumber": number, "ETag": result["ETag"], "ChecksumCRC32": crc(body)}


def complete(upload, parts, expected="", step="complete_multipart_upload", **arguments):
    document = {"Parts": parts}
    return call(
        "complete_multipart_upload", expected, step, MultipartUpload=document, **upload, **arguments
    )


def check_full_object():
    etag = call("put_object", Key="large", Body=LARGE, ChecksumAlgorithm="CRC32")["ETag"]
    call("put_object", Key="small", Body=SMALL)
    call("put_object", "BadDigest", Key="bad", Body=b"x", ChecksumCRC32="AAAAAA==")

    upload = create("zip", "FULL_OBJECT")
    parts = [
        upload_part(upload, 1, SMALL),
        copy_part(
            upload, 2, LARGE[100:7_000_000], CopySourceRange="bytes=100-6999999", CopySourceIfMatch=etag
        ),
        copy_part(upload, 3, LARGE),
        upload_part(upload, 4, b"directory", ChecksumCRC32=crc(b"directory")),
    ]
    expected = SMALL + LARGE[100:7_000_000] + LARGE + b"directory"

    copy_part(upload, 2, None, "PreconditionFailed", "copy of a stale source", CopySourceIfMatch='"x"')
    copy_part(upload, 5, None, "NoSuchKey", "copy of a missing source", key="missing")
    for step, code, key, byte_range in [
        ("range of a small source", "InvalidRequest", "small", "bytes=0-9"),
        ("range outside the source", "InvalidArgument", "large", "bytes=0-99999999"),
        ("open range", "InvalidArgument", "large", "bytes=5-"),
    ]:
        copy_part(upload, 5, None, code, step, key, CopySourceRange=byte_range)
    for number in [0, 10_001]:
        call("upload_part", "InvalidArgument", PartNumber=number, Body=b"x", **upload)

    pages = s3.get_paginator("list_parts").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 3}, **upload
    )
    listed = [
        {name: part.get(name) for name in ["PartNumber", "ETag", "ChecksumCRC32"]}
        for page in pages
        for part in page["Parts"]
    ]
    check("listed parts", listed, parts)
    uploads = call("list_multipart_uploads", Prefix="zi").get("Uploads", [])
    check("listed uploads", [entry["UploadId"] for entry in uploads], [upload["UploadId"]])

    first = parts[0]
    for step, code, refused, arguments in [
        ("descending parts", "InvalidPartOrder", parts[::-1], {}),
        ("wrong ETag", "InvalidPart", [first | {"ETag": '"x"'}], {}),
        ("wrong CRC of a part", "InvalidPart", [first | {"ChecksumCRC32": "AAAAAA=="}], {}),
        ("wrong CRC of the object", "BadDigest", parts, {"ChecksumCRC32": "AAAAAA=="}),
        ("wrong size", "InvalidRequest", parts, {"MpuObjectSize": 5}),
        ("wrong type", "InvalidRequest", parts, {"ChecksumType": "COMPOSITE"}),
    ]:
        complete(upload, refused, code, step, **arguments)
    whole = {
        "ChecksumCRC32": crc(expected),
        "ChecksumType": "FULL_OBJECT",
        "MpuObjectSize": len(expected),
    }
    answer = complete(upload, parts, **whole)
    check("CRC of the object", answer.get("ChecksumCRC32"), crc(expected))
    complete(upload, parts, "NoSuchUpload", "second completion", **whole)

    head = call("head_object", Key="zip", ChecksumMode="ENABLED")
    check("CRC of the head", head.get("ChecksumCRC32"), crc(expected))
    body = call("get_object", Key="zip", ChecksumMode="ENABLED")["Body"].read()
    check("equal bytes", body == expected, True)


def check_part_rules():
    for checksum_type in ["FULL_OBJECT", "COMPOSITE"]:
        upload = create("gap", checksum_type)
        parts = [upload_part(upload, 1, SMALL), upload_part(upload, 3, b"x")]
        complete(upload, parts, "InvalidPartOrder", f"gap, {checksum_type}")
    upload = create("tiny", "FULL_OBJECT")
    parts = [upload_part(upload, 1, b"x"), upload_part(upload, 2, b"x")]
    complete(upload, parts, "EntityTooSmall", "small part")
    call("abort_multipart_upload", **upload)
    call("abort_multipart_upload", "NoSuchUpload", "second abort", **upload)

    upload = create("composite", "COMPOSITE")
    parts = [upload_part(upload, 1, SMALL), upload_part(upload, 2, b"x")]
    bare = [{name: part[name] for name in ["PartNumber", "ETag"]} for part in parts]
    complete(upload, bare, "InvalidRequest", "composite without CRCs of the parts")
    crcs = b"".join(base64.b64decode(part["ChecksumCRC32"]) for part in parts)
    answer = complete(upload, parts)
    check("composite CRC", answer.get("ChecksumCRC32"), f"{crc(crcs)}-2")


check_full_object()
check_part_rules()
print(f"{len(differences)} differences")
sys.exit(bool(differences))

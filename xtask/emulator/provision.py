"""Small steps on the local cloud that a template cannot take.

    provision.py STEP < input.json > answer.json
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def prepare(wanted):
    """A bucket for artifacts, and a key pair that opens the exchange bucket alone."""
    s3 = boto3.client("s3")
    region = s3.meta.region_name
    try:
        s3.create_bucket(
            Bucket=wanted["artifacts"],
            CreateBucketConfiguration={"LocationConstraint": region},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
    bucket = f"arn:aws:s3:::{wanted['exchange']}"
    rights = [
        # Without it, a missing object is a 403 and not a 404.
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": f"{bucket}/*",
        },
    ]
    iam = boto3.client("iam")
    name = f"{wanted['exchange']}-user"
    try:
        iam.create_user(UserName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        # An emulator that was running already: a user has two keys at most.
        for old in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=old["AccessKeyId"])
    iam.put_user_policy(
        UserName=name,
        PolicyName="exchange",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": rights}),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}


def outputs(wanted):
    """What the stack says about itself, and the physical names of its functions."""
    stack = boto3.client("cloudformation").describe_stacks(StackName=wanted["stack"])["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def secrets(values):
    """Puts each secret's value under its ARN."""
    client = boto3.client("secretsmanager")
    for arn, value in values.items():
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(value))
    return {}


def bench(wanted):
    """What a function under a bench finds: a table, a key, secrets by name."""
    dynamodb = boto3.client("dynamodb")
    table = "docferry-bench"
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )
    manager = boto3.client("secretsmanager")
    arns = {
        name: manager.create_secret(Name=f"bench/{name}", SecretString=json.dumps(value))["ARN"]
        for name, value in wanted["secrets"].items()
    }
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    return {"table": table, "key": key, "secrets": arns}


def item(wanted):
    """Puts an item, given as plain JSON."""
    boto3.resource("dynamodb").Table(wanted["table"]).put_item(Item=wanted["item"])
    return {}


STEPS = {"prepare": prepare, "outputs": outputs, "secrets": secrets, "bench": bench, "item": item}

try:
    json.dump(STEPS[sys.argv[1]](json.load(sys.stdin)), sys.stdout)
except (BotoCoreError, ClientError) as error:
    sys.exit(f"{sys.argv[1]}: {error}")

"""Provisioning steps on the local cloud that a template cannot express.

    provision.py STEP < input.json > output.json
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def prepare(request):
    """Creates the artifacts bucket and an access key that permits only the exchange bucket."""
    s3 = boto3.client("s3")
    region = s3.meta.region_name
    try:
        s3.create_bucket(
            Bucket=request["artifacts"],
            CreateBucketConfiguration={"LocationConstraint": region},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise
    bucket = f"arn:aws:s3:::{request['exchange']}"
    rights = [
        # Without this permission, a missing object results in 403 instead of 404.
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": f"{bucket}/*",
        },
    ]
    iam = boto3.client("iam")
    name = f"{request['exchange']}-user"
    try:
        iam.create_user(UserName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        # The emulator was already running. A user can have at most two access keys.
        for old in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=old["AccessKeyId"])
    iam.put_user_policy(
        UserName=name,
        PolicyName="exchange",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": rights}),
    )
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}


def outputs(request):
    """Returns the outputs of the stack."""
    stack = boto3.client("cloudformation").describe_stacks(StackName=request["stack"])["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def secrets(values):
    """Stores the value of each secret. The keys are the ARNs."""
    client = boto3.client("secretsmanager")
    for arn, value in values.items():
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(value))
    return {}


def environment(request):
    """Adds environment variables to a function."""
    client = boto3.client("lambda")
    name = request["function"]
    present = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    variables = {**present, **request["variables"]}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    return {}


def bench(request):
    """Creates the resources for a benchmark: a table, a KMS key, and secrets by name."""
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
        for name, value in request["secrets"].items()
    }
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    return {"table": table, "key": key, "secrets": arns}


def item(request):
    """Writes an item, given as plain JSON."""
    boto3.resource("dynamodb").Table(request["table"]).put_item(Item=request["item"])
    return {}


STEPS = {
    "prepare": prepare,
    "outputs": outputs,
    "secrets": secrets,
    "environment": environment,
    "bench": bench,
    "item": item,
}

try:
    json.dump(STEPS[sys.argv[1]](json.load(sys.stdin)), sys.stdout)
except (BotoCoreError, ClientError) as error:
    sys.exit(f"{sys.argv[1]}: {error}")

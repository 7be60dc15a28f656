"""`make deploy` against a stand-in for AWS: made, left alone, changed, refused, made again."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.cloud.deployed import Deployed, deploy
from tests.cloud.ministack import MinistackProcess

pytestmark = pytest.mark.deep

ORIGIN = "ORIGINS=https://chat.example.org"


@pytest.fixture
def words(package: Path, template: Path) -> list[str]:
    return [ORIGIN, f"PACKAGE={package}", f"TEMPLATE={template}"]


def test_what_is_there_already_is_left_alone(deployed: Deployed):
    again = deploy(deployed.ministack, *deployed.words)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[:2] == [
        "The stack kizuna is up to date",
        "The stack kizuna is deployed:",
    ]


def test_a_change_is_carried_out_and_keeps_the_table_and_the_secret(
    ministack: MinistackProcess, words: list[str], tmp_path: Path
):
    stack = "STACK=changing"
    config = tmp_path / "config.json"
    config.write_text('{"webSocketUrl": "", "connection": {"idleRetryInterval": 30}}')
    made = deploy(ministack, stack, *words, "SIGN_IN=open", f"CONFIG={config}")
    assert made.returncode == 0, made.stderr
    secret = secret_of(ministack, "/changing/token-secret")
    table = output(made.stdout, "TableName")
    assert json.loads(config.read_text()) == {
        "webSocketUrl": output(made.stdout, "WebSocketUrl"),
        "tokenUrl": output(made.stdout, "TokenUrl"),
        "ticketUrl": output(made.stdout, "TicketUrl"),
        "connection": {"idleRetryInterval": 30},
    }

    changed = deploy(ministack, stack, *words, "RATE_LIMIT=20")
    assert changed.returncode == 0, changed.stderr
    assert "Updating the stack ..." in changed.stdout
    assert "TokenUrl" not in changed.stdout
    assert output(changed.stdout, "TableName") == table
    assert secret_of(ministack, "/changing/token-secret") == secret
    environments = [
        function["Environment"]["Variables"]
        for function in ministack.client("lambda").list_functions()["Functions"]
        if function["FunctionName"].startswith("changing-")
    ]
    assert {(e["RATE_LIMIT"], e["OPEN_SIGN_IN"]) for e in environments} == {("20", "no")}
    assert len(environments) == 5  # without the one that gave tokens


def test_package_lies_under_its_hash_in_a_private_bucket(deployed: Deployed, package: Path):
    s3 = deployed.client("s3")
    (bucket,) = [b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith("kizuna-deploy-")]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    key = f"kizuna/{hashlib.sha256(package.read_bytes()).hexdigest()}.zip"
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == package.read_bytes()


def test_the_secret_is_encrypted_and_long_and_shown_to_nobody(deployed: Deployed):
    parameter = deployed.client("ssm").get_parameter(Name="/kizuna/token-secret", WithDecryption=True)
    assert parameter["Parameter"]["Type"] == "SecureString"
    secret = parameter["Parameter"]["Value"]
    assert len(secret) == 64
    assert secret not in deployed.said


def test_what_cloudformation_refuses_is_said_in_its_words(ministack: MinistackProcess, words: list[str]):
    refused = deploy(ministack, "STACK=refused", *words, "RATE_BURST=0")
    assert refused.returncode == 1
    assert refused.stderr.startswith("make deploy: ")
    assert "RateBurst" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_failed_resource_is_named_and_a_second_attempt_starts_over(
    ministack: MinistackProcess, words: list[str]
):
    topic = "ALARM_TOPIC=arn:aws:sns:eu-central-1:000000000000:alarms"  # ministack makes no such alarms
    failed = deploy(ministack, "STACK=failing", *words, topic)
    assert failed.returncode == 1
    first, *reasons = failed.stderr.splitlines()
    assert first == "make deploy: CloudFormation failed:"
    assert any("Alarm (AWS::CloudWatch::Alarm): " in reason for reason in reasons), reasons
    again = deploy(ministack, "STACK=failing", *words)
    assert again.returncode == 0, again.stderr
    assert "Deleting the rest of a stack whose creation failed ..." in again.stdout


def output(text: str, name: str) -> str:
    """Return the value of an output, as it is printed."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"  {name} ")]
    return line.split()[1]


def secret_of(ministack: MinistackProcess, name: str) -> str:
    value: str = ministack.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    return value

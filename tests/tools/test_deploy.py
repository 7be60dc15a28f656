"""What `make deploy` makes of its words, and what it says where it cannot go on."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.stub import Stubber  # type: ignore[import-untyped]

from tests.backend.aws.aws_account import nobodys_account
from tests.backend.aws.cloud_template import ResolvedTemplate, Template
from tools import deploy
from tools.deploy import (
    CODE_URI,
    OTHERS,
    PARAMETERS,
    DeployError,
    Deployment,
    Plan,
    read_plan,
    report,
    write_config,
)
from tools.package import ROOT

ORIGIN = "https://chat.example.org"
GOOD = ["STACK=kizuna", f"ORIGINS={ORIGIN}"]
TEMPLATE = Template()
ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    with nobodys_account():
        yield


# --- words ---


def test_two_words_are_enough():
    assert read_plan(GOOD) == Plan(
        "kizuna",
        {"AllowedOrigins": ORIGIN, "TokenSecretParameter": "/kizuna/token-secret", "OpenSignIn": "no"},
    )


def test_every_parameter_of_the_template_has_a_word():
    assert {*PARAMETERS.values(), "OpenSignIn"} == TEMPLATE.data["Parameters"].keys()


def test_make_passes_on_every_word_that_is_understood():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    passed = makefile.partition("DEPLOY_WORDS := ")[2].partition("\n\n")[0].replace("\\\n", "").split()
    assert set(passed) == {*PARAMETERS, *OTHERS}


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["SIGN_IN=open"],
        ["SECRET=/mine", "AUDIENCE=a", "ISSUER=i"],
        ["JWKS_URL=https://id.example.org/jwks.json", "AUDIENCE=a", "ISSUER=i"],
        ["ALARM_TOPIC=arn:aws:sns:eu-central-1:123456789012:alarms", "LOG_ROLE=exists", "STAGE=beta"],
        [
            "CONCURRENCY=20",
            "TABLE_READS=1000",
            "TABLE_WRITES=200",
            "BUDGET_MAIL=ann@example.org",
            "BUDGET=30",
        ],
    ],
)
def test_what_is_understood_here_the_template_takes(more: list[str]):
    assert ResolvedTemplate(TEMPLATE.data, read_plan([*GOOD, *more]).parameters).refusals == []


def test_a_word_without_a_value_is_a_word_left_out():
    assert read_plan([*GOOD, "SECRET=", "SIGN_IN=", "CONFIG= "]) == read_plan(GOOD)


def test_origins_may_be_separated_as_one_likes():
    plan = read_plan(["STACK=k", "ORIGINS=https://a.example, https://b.example:8443 http://localhost:8000"])
    assert (
        plan.parameters["AllowedOrigins"] == "https://a.example,https://b.example:8443,http://localhost:8000"
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([GOOD[1]], "STACK must be a name"),
        ([GOOD[1], "STACK=my stack"], "STACK must be a name"),
        ([GOOD[0]], "ORIGINS is missing"),
        ([GOOD[0], "ORIGINS=chat.example.org"], "not 'chat.example.org'"),
        ([GOOD[0], "ORIGINS=https://chat.example.org/"], "without a path or a / at its end"),
        ([GOOD[0], "ORIGINS=https://Chat.example.org"], "an origin is like"),
        ([GOOD[0], "ORIGINS=wss://chat.example.org"], "an origin is like"),
        ([*GOOD, "SIGN_IN=yes"], "SIGN_IN must be open or left out, not 'yes'"),
        ([*GOOD, "SECRET=/a", "JWKS_URL=https://x"], "not both"),
        ([*GOOD, "SECRET=0123456789"], "SECRET is the name of an SSM parameter"),
        ([*GOOD, "JWKS_URL=https://x", "ISSUER=i"], "JWKS_URL needs AUDIENCE and ISSUER"),
        ([*GOOD, "SIGN_IN=open", "AUDIENCE=a"], "SIGN_IN=open excludes"),
        ([*GOOD, "BUDGET=20"], "BUDGET needs BUDGET_MAIL"),
        ([*GOOD, "REGION=eu-central-1"], "unknown option 'REGION=eu-central-1': options are NAME=value"),
        ([*GOOD, "open"], "unknown option 'open'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
):
    assert deploy.main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("make deploy: ")
    assert complaint in line


# --- what AWS says ---


def test_without_a_region_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert deploy.main(GOOD) == 1
    assert capsys.readouterr().err == "make deploy: no region: set AWS_REGION, like AWS_REGION=eu-central-1\n"


def test_without_credentials_it_says_how_to_sign_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert deploy.main(GOOD) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("make deploy: no credentials: ")


def test_what_aws_answers_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    zipped = tmp_path / "x.zip"
    zipped.write_bytes(b"")
    assert deploy.main([*GOOD, f"PACKAGE={zipped}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("make deploy: Could not connect to the endpoint URL")


@functools.cache
def _session() -> Any:
    """One for all tests: what it knows of AWS's services it reads once."""
    return boto3.Session()


class DeploymentHarness:
    """Responsible for a deployment whose AWS answers as a test says, service by service."""

    def __init__(self, plan: Plan, zipped: Path) -> None:
        self.printed: list[str] = []
        self.stubs: dict[str, Any] = {}
        self._session = _session()
        self._zipped = zipped
        self._deployment = Deployment(plan, self, self.printed.append, look_seconds=0)
        self.region_name = self._session.region_name

    def client(self, service: str, config: Any) -> Any:
        """What the deployment takes for boto3's session."""
        return self[service].client

    def __getitem__(self, service: str) -> Any:
        if service not in self.stubs:
            client = self._session.client(service)
            self.stubs[service] = Stubber(client)
            self.stubs[service].activate()
        return self.stubs[service]

    def run(self) -> dict[str, str]:
        return self._deployment.run(self._zipped)

    def finish(self) -> None:
        for stub in self.stubs.values():
            stub.assert_no_pending_responses()


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[DeploymentHarness]:
    zipped = tmp_path / "x.zip"
    zipped.write_bytes(b"zip")
    made = DeploymentHarness(read_plan(GOOD), zipped)
    made["sts"].add_response("get_caller_identity", {"Account": ACCOUNT})
    yield made
    made.finish()


def ready(harness: DeploymentHarness) -> None:
    """Bucket, zip and secret are there already."""
    harness["s3"].add_response("head_bucket", {})
    harness["s3"].add_response("head_object", {})
    harness["ssm"].add_response("get_parameter", {"Parameter": {"Value": "x"}})


def test_a_bucket_of_somebody_else_is_never_given_the_code(harness: DeploymentHarness):
    bucket = {"Bucket": f"kizuna-deploy-{ACCOUNT}-eu-central-1", "ExpectedBucketOwner": ACCOUNT}
    harness["s3"].add_client_error("head_bucket", "403", http_status_code=403, expected_params=bucket)
    with pytest.raises(
        DeployError, match="this account cannot use the bucket .*: choose another with BUCKET="
    ):
        harness.run()


def test_a_named_bucket_must_be_there(tmp_path: Path):
    harness = DeploymentHarness(read_plan([*GOOD, "BUCKET=mine"]), tmp_path)
    harness["sts"].add_response("get_caller_identity", {"Account": ACCOUNT})
    harness["s3"].add_client_error("head_bucket", "404", http_status_code=404)
    with pytest.raises(DeployError, match="there is no bucket mine"):
        harness.run()
    harness.finish()


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_a_stack_that_somebody_else_changes_now_is_left_alone(harness: DeploymentHarness, status: str):
    ready(harness)
    harness["cloudformation"].add_response("describe_stacks", {"Stacks": [stack(status)]})
    with pytest.raises(
        DeployError, match=f"the stack kizuna is being changed by something else \\({status}\\)"
    ):
        harness.run()


def test_failure_reasons_are_of_this_attempt_oldest_first(harness: DeploymentHarness):
    ready(harness)
    cloudformation = harness["cloudformation"]
    cloudformation.add_response("describe_stacks", {"Stacks": [stack("UPDATE_COMPLETE")]})
    cloudformation.add_response("create_change_set", {"Id": "arn:aws:cloudformation:x"})
    cloudformation.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
    cloudformation.add_response("execute_change_set", {})
    cloudformation.add_response("describe_stacks", {"Stacks": [stack("UPDATE_ROLLBACK_COMPLETE")]})
    latest_first = [
        happened("kizuna", "UPDATE_ROLLBACK_COMPLETE"),
        happened("Other", "UPDATE_FAILED", "Resource update cancelled"),
        happened("MessageFunction", "UPDATE_FAILED", "it came second"),
        happened("Table", "UPDATE_FAILED", "it came first"),
        happened("kizuna", "UPDATE_IN_PROGRESS", "User Initiated"),
        happened("Table", "UPDATE_FAILED", "of last week"),
    ]
    cloudformation.add_response("describe_stack_events", {"StackEvents": latest_first})
    with pytest.raises(DeployError) as refused:
        harness.run()
    assert str(refused.value).splitlines()[1:] == [
        "  Table (AWS::X): it came first",
        "  MessageFunction (AWS::X): it came second",
    ]


def test_a_secret_is_drawn_once_and_a_change_set_carries_all_words(harness: DeploymentHarness):
    harness["s3"].add_response("head_bucket", {})
    harness["s3"].add_response("head_object", {})
    harness["ssm"].add_client_error("get_parameter", "ParameterNotFound")
    harness["ssm"].add_response("put_parameter", {})
    cloudformation = harness["cloudformation"]
    cloudformation.add_client_error(
        "describe_stacks", "ValidationError", "Stack with id kizuna does not exist"
    )
    cloudformation.add_response("create_change_set", {"Id": "arn:aws:cloudformation:x"})
    cloudformation.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
    cloudformation.add_response("execute_change_set", {})
    outputs = [{"OutputKey": "TableName", "OutputValue": "t"}]
    complete = {"Stacks": [stack("CREATE_COMPLETE", Outputs=outputs)]}
    cloudformation.add_response("describe_stacks", complete)
    cloudformation.add_response("describe_stacks", complete)
    requests: dict[str, Any] = {}
    for service, operation in (("ssm", "PutParameter"), ("cloudformation", "CreateChangeSet")):
        harness[service].client.meta.events.register(
            f"provide-client-params.{service}.{operation}",
            lambda params, model, **more: requests.update({model.name: params}),
        )
    assert harness.run() == {"TableName": "t"}
    assert requests["PutParameter"]["Type"] == "SecureString"
    assert requests["PutParameter"]["Overwrite"] is False
    assert len(requests["PutParameter"]["Value"]) == 64
    made = requests["CreateChangeSet"]
    assert (made["ChangeSetType"], made["Capabilities"]) == (
        "CREATE",
        ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    assert {p["ParameterKey"]: p["ParameterValue"] for p in made["Parameters"]} == read_plan(GOOD).parameters
    assert CODE_URI not in made["TemplateBody"]
    code = f"s3://kizuna-deploy-{ACCOUNT}-eu-central-1/kizuna/"
    assert made["TemplateBody"].count(code) == 1


def test_the_template_is_small_enough_to_be_sent():
    assert len(TEMPLATE.text.encode()) < 51_200 - 200  # CloudFormation's quota, and an S3 address
    assert TEMPLATE.text.count(CODE_URI) == 1


def stack(status: str, **more: Any) -> dict[str, Any]:
    """A stack as CloudFormation describes it."""
    return {"StackName": "kizuna", "StackStatus": status, "CreationTime": "2026-01-01T00:00:00Z", **more}


def happened(name: str, status: str, reason: str = "") -> dict[str, str]:
    """An event of a stack."""
    return {
        "StackId": "arn",
        "EventId": "1",
        "StackName": "kizuna",
        "LogicalResourceId": name,
        "ResourceType": "AWS::X",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": "2026-01-01T00:00:00Z",
    }


# --- what the page has to know ---

OUTPUTS = {"WebSocketUrl": "wss://a/prod", "TicketUrl": "https://b/ticket", "TableName": "t"}


def test_the_rest_of_a_configuration_stays_as_it_is(tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text('{"tokenUrl": "https://id.example.org/token", "connection": {"idleRetryInterval": 30}}')
    printed: list[str] = []
    report(Plan("kizuna", {}, config=path), OUTPUTS, printed.append)
    assert json.loads(path.read_text()) == {
        "tokenUrl": "https://id.example.org/token",
        "connection": {"idleRetryInterval": 30},
        "webSocketUrl": "wss://a/prod",
        "ticketUrl": "https://b/ticket",
    }
    assert "and tokenUrl: the address at which your service gives a signed-in person a token" in printed


def test_without_a_file_it_says_what_to_write():
    printed: list[str] = []
    report(Plan("kizuna", {}), {**OUTPUTS, "TokenUrl": "https://b/token"}, printed.append)
    (urls,) = [line for line in printed if line.startswith("{")]
    assert json.loads(urls) == {
        "webSocketUrl": "wss://a/prod",
        "tokenUrl": "https://b/token",
        "ticketUrl": "https://b/ticket",
    }


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], ["There are no alarms", "There is no budget"]),
        (
            ["SIGN_IN=open"],
            ["SIGN_IN=open is for tests", "There are no alarms", "There is no budget"],
        ),
        (["ALARM_TOPIC=arn:aws:sns:x", "BUDGET_MAIL=ann@example.org"], []),
    ],
)
def test_it_ends_with_what_the_open_internet_asks_for(more: list[str], expected: list[str]):
    printed: list[str] = []
    report(read_plan([*GOOD, *more]), OUTPUTS, printed.append)
    warnings = printed[
        printed.index("and tokenUrl: the address at which your service gives a signed-in person a token")
        + 1 :
    ]
    assert [line for line, begin in zip(warnings, expected, strict=True) if not line.startswith(begin)] == []


@pytest.mark.parametrize("text", ["[]", "no JSON"])
def test_a_file_that_is_no_configuration_is_not_overwritten(text: str, tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(DeployError, match="is no JSON object"):
        write_config(path, {})
    assert path.read_text() == text

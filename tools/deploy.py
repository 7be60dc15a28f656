"""Deployment of the backend to AWS: `make deploy STACK=kizuna ORIGINS=https://chat.example.org`.

It packs the functions, puts the zip into a bucket under its hash, creates the token secret if there is none, lets
CloudFormation create or update the stack, and prints the page's static/config.json. A second run with the same options
changes nothing; an option that is left out has its default again.

It needs boto3 alone, which finds credentials and region where AWS's tools do, and AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    WaiterError,
)

from backend.auth.origins import origin_of
from tools import package
from tools.package import ROOT

TEMPLATE = ROOT / "backend" / "aws" / "template.yaml"
CODE_URI = "../dist/kizuna-aws.zip"

#: The options that are parameters of the template, except SIGN_IN.
PARAMETERS = {
    "ORIGINS": "AllowedOrigins",
    "SECRET": "TokenSecretParameter",
    "JWKS_URL": "JwksUrl",
    "AUDIENCE": "Audience",
    "ISSUER": "Issuer",
    "STAGE": "StageName",
    "RATE_LIMIT": "RateLimit",
    "RATE_BURST": "RateBurst",
    "RATE_BURST_NEW": "RateBurstNew",
    "TYPING_SECONDS": "TypingSeconds",
    "HELLO_LIMIT": "HelloLimit",
    "ASK_LIMIT": "AskLimit",
    "MOST_CONNECTIONS": "MostConnections",
    "TOKEN_LIMIT": "TokenLimit",
    "TICKET_LIMIT": "TicketLimit",
    "REQUESTS_PER_SECOND": "RequestsPerSecond",
    "REQUESTS_BURST": "RequestsBurst",
    "CONCURRENCY": "FunctionConcurrency",
    "TABLE_READS": "TableReads",
    "TABLE_WRITES": "TableWrites",
    "BUDGET_MAIL": "BudgetMail",
    "BUDGET": "Budget",
    "LOG_DAYS": "LogDays",
    "LOG_ROLE": "LogRole",
    "ALARM_TOPIC": "AlarmTopic",
}
#: The other options, and what they mean.
OTHERS = {
    "STACK": "the stack's name",
    "SIGN_IN": "open: POST /token gives a token to anybody",
    "BUCKET": "the bucket for the zip; by default one of this account and region, which is created",
    "CONFIG": "a config.json of the page to write",
    "PACKAGE": "a zip that is built already; by default one is built",
    "TEMPLATE": "a template instead of backend/aws/template.yaml",
}
USAGE = f"options are NAME=value; names are {', '.join([*OTHERS, *PARAMETERS])}"

#: 48 random bytes as text, more than HS256 can use (RFC 7518, 3.2: 32).
SECRET_BYTES = 48
#: Seconds between two requests for CloudFormation's progress, and their number: half an hour.
LOOK_SECONDS = 2
LOOKS = 900

#: CloudFormation's words for an empty change set.
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")

Say = Callable[[str], None]


class DeployError(Exception):
    """The reason why this deployment cannot go on, for the user."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to deploy. ``parameters``: the template's."""

    stack: str
    parameters: Mapping[str, str]
    bucket: str = ""
    config: Path | None = None
    package: Path | None = None
    template: Path = TEMPLATE

    @property
    def secret(self) -> str:
        """The name of the secret's SSM parameter; empty if tokens are verified by published keys."""
        return self.parameters.get("TokenSecretParameter", "")


# --- the options ---


def read_plan(words: Sequence[str]) -> Plan:
    """Read the plan from the options of a command line. Raises DeployError."""
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in {**PARAMETERS, **OTHERS}:
            raise DeployError(f"unknown option {word!r}: {USAGE}")
        if value.strip():
            given[name] = value.strip()
    stack = given.get("STACK", "")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,99}", stack):
        raise DeployError(
            f"STACK must be a name of letters, digits and hyphens, like STACK=kizuna, not {stack!r}"
        )
    given["ORIGINS"] = ",".join(_origins(given.get("ORIGINS", "")))
    if "JWKS_URL" not in given:
        given.setdefault("SECRET", f"/{stack}/token-secret")
    _check_sign_in(given)
    if "BUDGET" in given and "BUDGET_MAIL" not in given:
        raise DeployError("BUDGET needs BUDGET_MAIL, an address for the notifications")
    parameters = {PARAMETERS[name]: value for name, value in given.items() if name in PARAMETERS}
    parameters["OpenSignIn"] = "yes" if "SIGN_IN" in given else "no"
    return Plan(
        stack,
        parameters,
        bucket=given.get("BUCKET", ""),
        config=Path(given["CONFIG"]) if "CONFIG" in given else None,
        package=Path(given["PACKAGE"]) if "PACKAGE" in given else None,
        template=Path(given["TEMPLATE"]) if "TEMPLATE" in given else TEMPLATE,
    )


def _origins(value: str) -> list[str]:
    origins = value.replace(",", " ").split()
    if not origins:
        raise DeployError(
            "ORIGINS is missing: the pages that may connect, like ORIGINS=https://chat.example.org"
        )
    for origin in origins:
        if origin_of(origin) != origin:
            raise DeployError(
                f"ORIGINS: an origin is like https://chat.example.org, without a path or a / at its end, not {origin!r}"
            )
    return origins


def _check_sign_in(given: Mapping[str, str]) -> None:
    if given.get("SIGN_IN", "open") != "open":
        raise DeployError(f"SIGN_IN must be open or left out, not {given['SIGN_IN']!r}")
    if not given.get("SECRET", "/").startswith("/"):
        raise DeployError(
            "SECRET is the name of an SSM parameter, like /kizuna/token-secret, not the secret itself"
        )
    if "JWKS_URL" in given and "SECRET" in given:
        raise DeployError("set SECRET or JWKS_URL, not both: tokens are verified with one of them")
    if "JWKS_URL" in given and not {"AUDIENCE", "ISSUER"} <= given.keys():
        raise DeployError("JWKS_URL needs AUDIENCE and ISSUER")
    if "SIGN_IN" in given and {"JWKS_URL", "AUDIENCE", "ISSUER"} & given.keys():
        raise DeployError("SIGN_IN=open excludes JWKS_URL, AUDIENCE and ISSUER: the server makes the tokens")


# --- the deployment ---


@dataclass
class Deployment:
    """The deployment of one plan to one account. ``look_seconds``: between two requests for progress."""

    plan: Plan
    session: Any
    say: Say = print
    look_seconds: float = LOOK_SECONDS
    _clients: dict[str, Any] = field(default_factory=dict)

    def run(self, zipped: Path) -> dict[str, str]:
        """Deploy a package, and return the stack's outputs. Raises DeployError, and boto3's errors."""
        account = self._client("sts").get_caller_identity()["Account"]
        bucket = self._bucket(account)
        code = self._upload(zipped, bucket, account)
        if self.plan.secret:
            self._secret()
        self._change(self._template(code))
        return self.outputs()

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs."""
        (stack,) = self._client("cloudformation").describe_stacks(StackName=self.plan.stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    # --- the zip ---

    def _bucket(self, account: str) -> str:
        """Return a bucket of this account. Without BUCKET, one is created and closed to the public."""
        s3, region = self._client("s3"), self.session.region_name
        name = self.plan.bucket or f"kizuna-deploy-{account}-{region}"
        try:
            s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
        except ClientError as error:
            if _status(error) != 404:
                raise DeployError(
                    f"this account cannot use the bucket {name}: choose another with BUCKET="
                ) from None
        else:
            return name
        if self.plan.bucket:
            raise DeployError(f"there is no bucket {name}: create it, or leave BUCKET out")
        self.say(f"Creating the bucket {name} ...")
        # The only region that must not be named.
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **where)
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(
            Bucket=name,
            ExpectedBucketOwner=account,
            PublicAccessBlockConfiguration=dict.fromkeys(closed, True),
        )
        return name

    def _upload(self, zipped: Path, bucket: str, account: str) -> str:
        """Upload the zip under its hash, unless it is there, and return its address."""
        s3, data = self._client("s3"), zipped.read_bytes()
        key = f"{self.plan.stack}/{hashlib.sha256(data).hexdigest()}.zip"
        try:
            s3.head_object(Bucket=bucket, Key=key, ExpectedBucketOwner=account)
        except ClientError as error:
            # Without the right to list the bucket, a missing object is 403.
            if _status(error) not in (403, 404):
                raise
            self.say("Uploading the package ...")
            s3.put_object(Bucket=bucket, Key=key, Body=data, ExpectedBucketOwner=account)
        return f"s3://{bucket}/{key}"

    # --- the secret ---

    def _secret(self) -> None:
        """Create a secret unless there is one. It is never printed and never replaced."""
        ssm, name = self._client("ssm"), self.plan.secret
        try:
            ssm.get_parameter(Name=name)
        except ssm.exceptions.ParameterNotFound:
            self.say(f"Creating a token secret in the SSM parameter {name} ...")
            value = secrets.token_urlsafe(SECRET_BYTES)
            ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=False)

    # --- the stack ---

    def _template(self, code: str) -> str:
        return self.plan.template.read_text(encoding="utf-8").replace(CODE_URI, code)

    def _change(self, template: str) -> None:
        cloudformation = self._client("cloudformation")
        kind = self._kind()
        change_set = cloudformation.create_change_set(
            StackName=self.plan.stack,
            ChangeSetName=f"kizuna-{secrets.token_hex(8)}",
            ChangeSetType=kind,
            TemplateBody=template,
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in self.plan.parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=[{"Key": "application", "Value": "kizuna"}],
        )["Id"]
        if not self._ready(change_set):
            self.say(f"The stack {self.plan.stack} is up to date")
            return
        self.say("Creating the stack ..." if kind == "CREATE" else "Updating the stack ...")
        cloudformation.execute_change_set(ChangeSetName=change_set)
        try:
            self._wait(f"stack_{kind.lower()}_complete", StackName=self.plan.stack)
        except WaiterError:
            reasons = "".join(f"\n  {line}" for line in self._reasons())
            raise DeployError(f"CloudFormation failed:{reasons}") from None

    def _kind(self) -> str:
        """Return whether the stack is created or updated. The rest of a failed creation is deleted first."""
        cloudformation = self._client("cloudformation")
        try:
            (stack,) = cloudformation.describe_stacks(StackName=self.plan.stack)["Stacks"]
        except ClientError as error:
            if "does not exist" not in error.response["Error"].get("Message", ""):
                raise
            return "CREATE"
        status = stack["StackStatus"]
        if status == "REVIEW_IN_PROGRESS":
            return "CREATE"
        if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED"):
            self.say("Deleting the rest of a stack whose creation failed ...")
            cloudformation.delete_stack(StackName=self.plan.stack)
            self._wait("stack_delete_complete", StackName=stack["StackId"])
            return "CREATE"
        if status.endswith("_IN_PROGRESS"):
            raise DeployError(
                f"the stack {self.plan.stack} is being changed by something else ({status}): try again later"
            )
        return "UPDATE"

    def _ready(self, change_set: str) -> bool:
        """Return whether the change set has changes. Raises DeployError with CloudFormation's reason."""
        cloudformation = self._client("cloudformation")
        try:
            self._wait("change_set_create_complete", ChangeSetName=change_set)
        except WaiterError:
            reason = cloudformation.describe_change_set(ChangeSetName=change_set).get("StatusReason", "")
            cloudformation.delete_change_set(ChangeSetName=change_set)
            if any(sign in reason for sign in NO_CHANGES):
                return False
            raise DeployError(f"CloudFormation refuses it: {reason}") from None
        return True

    def _reasons(self) -> Iterator[str]:
        """Return the failures of the stack's last change, oldest first."""
        pages = self._client("cloudformation").get_paginator("describe_stack_events")
        failed = []
        for page in pages.paginate(StackName=self.plan.stack):
            for event in page["StackEvents"]:
                status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
                if status.endswith("_FAILED") and "cancelled" not in reason:
                    failed.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
                started = status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
                if started and event["LogicalResourceId"] == self.plan.stack:
                    return iter(reversed(failed))
        return iter(reversed(failed))

    # --- inside ---

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"mode": "standard", "total_max_attempts": 5})
            self._clients[service] = self.session.client(service, config=config)
        return self._clients[service]

    def _wait(self, waiter: str, **what: str) -> None:
        config = {"Delay": self.look_seconds, "MaxAttempts": LOOKS}
        self._client("cloudformation").get_waiter(waiter).wait(**what, WaiterConfig=config)


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


# --- the page's configuration ---


def page_config(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the page's static/config.json for these outputs."""
    keys = {"WebSocketUrl": "webSocketUrl", "TokenUrl": "tokenUrl", "TicketUrl": "ticketUrl"}
    return {key: outputs[name] for name, key in keys.items() if name in outputs}


def write_config(path: Path, urls: Mapping[str, str]) -> None:
    """Set the URLs in a config.json and keep the rest. Raises DeployError if it is no JSON object."""
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if not isinstance(config, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise DeployError(f"CONFIG: {path} is no JSON object: {error}") from None
    path.write_text(json.dumps({**config, **urls}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def report(plan: Plan, outputs: Mapping[str, str], say: Say) -> None:
    """Print the outputs, and write the page's configuration if CONFIG is set."""
    say(f"The stack {plan.stack} is deployed:")
    for name, value in sorted(outputs.items()):
        say(f"  {name:<13} {value}")
    urls = page_config(outputs)
    if plan.config is not None:
        write_config(plan.config, urls)
        say(f"Written to {plan.config}")
    else:
        say("Set these in the page's static/config.json (or use CONFIG=static/config.json):")
        say(json.dumps(urls, indent=2))
    if "tokenUrl" not in urls:
        say("and tokenUrl: the address at which your service gives a signed-in person a token")
    for line in _warnings(plan):
        say(line)


def _warnings(plan: Plan) -> Iterator[str]:
    """Yield warnings about a server on the open internet."""
    if plan.parameters.get("OpenSignIn") == "yes":
        yield "SIGN_IN=open is for tests: anybody gets a token, and you pay for their requests"
    if "AlarmTopic" not in plan.parameters:
        yield "There are no alarms: set ALARM_TOPIC=arn:aws:sns:... to be notified of failures"
    if "BudgetMail" not in plan.parameters:
        yield "There is no budget: set BUDGET_MAIL=you@example.org to be notified of costs (docs/scaling.md, Attacks)"


# --- the command ---


def main(words: Sequence[str] | None = None, say: Say = print) -> int:
    """Deploy by the options of the command line, and return the exit code. An error is one line, with reasons."""
    try:
        plan = read_plan(sys.argv[1:] if words is None else words)
        session = boto3.Session()
        if session.region_name is None:
            raise NoRegionError
        if session.get_credentials() is None:
            raise NoCredentialsError
        deployment = Deployment(plan, session, say)
        report(plan, deployment.run(plan.package or _package(say)), say)
    except DeployError as error:
        print(f"make deploy: {error}", file=sys.stderr)
        return 1
    except NoRegionError:
        print("make deploy: no region: set AWS_REGION, like AWS_REGION=eu-central-1", file=sys.stderr)
        return 1
    except NoCredentialsError:
        print(
            "make deploy: no credentials: sign in to AWS first (aws sso login), or set AWS_PROFILE",
            file=sys.stderr,
        )
        return 1
    except (BotoCoreError, ClientError, OSError) as error:
        print(f"make deploy: {error}", file=sys.stderr)
        return 1
    return 0


def _package(say: Say) -> Path:
    output = ROOT / package.OUTPUT
    wheels = output.parent / "wheels-arm64"
    if package.fetch(wheels, "arm64"):
        raise DeployError("the packages could not be fetched")
    try:
        say(str(package.build(wheels, output)))
    except ValueError as error:
        raise DeployError(str(error)) from None
    return output


if __name__ == "__main__":
    sys.exit(main())

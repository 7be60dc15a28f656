"""DynamoDB for tests: AWS's DynamoDB Local as a process of its own, and tables."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from backend.store.dynamodb import PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE
from tests.support.process import LOOPBACK, Process
from tools.dynamodb_local import DynamoDbLocal

CONFIGURATION = Path(__file__).with_name("dynamodb_local.xml")
# Short runs: the quick compiler and the simple collector need a third of the time that Java's defaults take.
JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Dorg.eclipse.jetty.xml.XmlParser.Validating=false",
)
# A machine that is busy with other tests answers late; that is no reason to fail.
PATIENCE_SECONDS = 60

_numbers = itertools.count(1)


class DynamoDbLocalProcess:
    """Responsible for one DynamoDB Local, empty, in memory, on loopback. It ends with :meth:`stop`, or with us."""

    def __init__(self, local: DynamoDbLocal) -> None:
        classes = os.pathsep.join(
            [str(local.folder / "DynamoDBLocal.jar"), str(local.folder / "DynamoDBLocal_lib/*")]
        )
        native = f"-Djava.library.path={local.folder / 'DynamoDBLocal_lib'}"
        self._process = Process(
            *(str(local.java), *JAVA_OPTIONS, native, "-cp", classes),
            *("org.eclipse.jetty.xml.XmlConfiguration", str(CONFIGURATION)),
            env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
        )
        self.url = f"http://{LOOPBACK}:{self._process.wait_for(r'^http://.*:([0-9]+)/?$')[1]}"

    def stop(self) -> None:
        """End it."""
        self._process.end()


@contextmanager
def made_up_credentials() -> Iterator[None]:
    """Credentials and a region for a client that never leaves this machine, whatever the machine's own are."""
    made_up = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
            patch.delenv(name, raising=False)
        for name, value in made_up.items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers the credentials that it found first
        yield


def create_table(client: Any, *, ttl: bool = False) -> str:
    """A new table such as template.yaml describes; returns its name.

    Without TTL unless asked: it follows the real clock, and would delete what the tests' clock holds to be alive.
    """
    name = f"kizuna-{next(_numbers)}"
    keys = {PARTITION_KEY: "HASH", SORT_KEY: "RANGE"}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
    )
    if ttl:
        client.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
        )
    return name

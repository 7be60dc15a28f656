"""DynamoDB for tests: AWS's DynamoDB Local as a process, and tables."""

import itertools
import os
from pathlib import Path
from typing import Any

from backend.store.dynamodb import PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE
from tests.support.process import LOOPBACK, Process
from tools.setup.dynamodb_local import DynamoDbLocal

CONFIGURATION = Path(__file__).with_name("dynamodb_local.xml")
# Short runs: the quick compiler and the simple collector need a third of the time that Java's defaults take.
JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Dorg.eclipse.jetty.xml.XmlParser.Validating=false",
)

_numbers = itertools.count(1)


class DynamoDbLocalProcess(Process):
    """One DynamoDB Local, empty, in memory, on loopback. It ends with :meth:`end`, or with this process."""

    def __init__(self, local: DynamoDbLocal) -> None:
        library = local.folder / "DynamoDBLocal_lib"
        classes = f"{local.folder / 'DynamoDBLocal.jar'}{os.pathsep}{library}/*"
        super().__init__(
            *(str(local.java), *JAVA_OPTIONS, f"-Djava.library.path={library}", "-cp", classes),
            *("org.eclipse.jetty.xml.XmlConfiguration", str(CONFIGURATION)),
            env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
        )
        self.url = f"http://{LOOPBACK}:{self.wait_for(r'^http://.*:([0-9]+)/?$')[1]}"


def create_table(client: Any, *, ttl: bool = False) -> str:
    """Create a table as template.yaml describes it and return its name.

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
        specification = {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
    return name

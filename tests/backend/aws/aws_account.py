"""An AWS account for tests, independent of this machine's own accounts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

REGION = "eu-central-1"
KEY = "test"
_VARIABLES = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": KEY,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a program that finds no real account, and these variables."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**ours, **_VARIABLES, **more}


@contextmanager
def nobodys_account() -> Iterator[None]:
    """Let this process find it, for a while or as long as a decorated function runs."""
    with patch.dict(os.environ, environment(), clear=True):
        yield

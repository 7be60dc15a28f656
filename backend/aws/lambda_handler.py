"""Lambda's entry point, ``backend.aws.lambda_handler.handler``: builds the parts once for each cold start."""

from __future__ import annotations

import os
import time

from backend.aws.app import Cloud, read_settings, verifier_and_issuer
from backend.gateway.aws import AwsGateway, management_client
from backend.store.dynamodb import DynamoStore, dynamodb_client

_settings = read_settings(os.environ)
_store = DynamoStore(dynamodb_client(), _settings.table, clock=time.time)

_verifier, _issuer = verifier_and_issuer(_settings)

handler = Cloud(
    _settings,
    _store,
    _verifier,
    lambda endpoint: AwsGateway(management_client(endpoint)),
    issuer=_issuer,
).handle

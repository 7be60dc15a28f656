"""template.yaml matches the code: routes, rights, settings, limits."""

import inspect
import itertools
import json
import re

import pytest

from backend.aws import app as cloud
from backend.aws.app import Cloud, Misconfigured, read_settings, verifier_and_issuer
from backend.limits.actions import ActionLimits
from backend.limits.addresses import TICKETS_PER_SECOND, TOKENS_PER_SECOND
from backend.limits.rate_limit import BURST, BURST_NEW, PER_SECOND
from backend.messaging.handlers import MAX_CONNECTIONS_PER_PERSON, Backend
from backend.store.dynamodb import (
    ATTEMPTS,
    CONNECT_TIMEOUT_SECONDS,
    PARTITION_KEY,
    READ_TIMEOUT_SECONDS,
    SORT_KEY,
    TTL_ATTRIBUTE,
)
from chat.protocol import UP_FRAMES
from tests.backend.aws.aws_account import REGION, nobodys_account
from tests.backend.aws.cloud_template import (
    WAYS,
    Parameters,
    ResolvedTemplate,
    Template,
    as_list,
    named,
    transformed,
)
from tests.backend.aws.recorded import RecordedBackend, everything_that_can_happen
from tests.backend.fakes import FakeGateway

TEMPLATE = Template()
TEXT = TEMPLATE.text
MESSAGES = {"$default", *UP_FRAMES}
# The longest that API Gateway waits for a function.
GATEWAY_SECONDS = 29
# The pauses between a call's attempts, which botocore draws: at most 1 s and 2 s.
PAUSES_SECONDS = 3


def complaints(text: str) -> list[str]:
    """Return cfn-lint's findings in a template."""
    from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]

    return [str(match) for match in lint(text, config=ManualArgs(regions=[REGION]))]


# --- as CloudFormation reads it ---


def test_cfn_lint_has_nothing_against_the_template():
    assert complaints(TEXT) == []


@pytest.mark.deep
@pytest.mark.parametrize("way", WAYS)
@nobodys_account()
def test_cfn_lint_has_nothing_against_what_sam_makes_of_it(way):
    made = transformed(TEXT, WAYS[way])
    deployed = ResolvedTemplate(made, WAYS[way])
    assert complaints(json.dumps({"Resources": deployed.resources, "Outputs": deployed.outputs})) == []
    assert way != "secret" or complaints(json.dumps(made)) == []


@nobodys_account()
def test_cfn_lint_would_have_something_against_a_mistake():
    api = {"Name": "x", "ProtocolType": "WEBSOCKET", "RouteSelection": "$request.body.action"}
    resource = {"Type": "AWS::ApiGatewayV2::Api", "Properties": api}
    assert complaints(json.dumps({"Resources": {"WebSocketApi": resource}})) != []
    unconditional = TEXT.replace(
        "    Condition: SignInHere\n    Description: For tokenUrl", "    Description: For tokenUrl"
    )
    deployed = ResolvedTemplate(
        transformed(
            unconditional.replace("TokenFunction.Arn", "TicketFunction.Arn").replace(
                "${HttpApi}", "${TokenFunction}"
            ),
            WAYS["keys"],
        ),
        WAYS["keys"],
    )
    assert complaints(json.dumps({"Resources": deployed.resources})) != []


@pytest.mark.parametrize("way", WAYS)
def test_tokens_are_issued_and_alarms_rung_only_where_that_is_asked_for(way):
    deployed = ResolvedTemplate(TEMPLATE.data, WAYS[way])
    left_out = {"Token", "Alarm", "AccountLog", "AccountBudget"}
    if WAYS[way].get("OpenSignIn") == "yes":
        left_out -= {"Token"}
    if "AlarmTopic" in WAYS[way]:
        left_out -= {"Alarm"}
    if WAYS[way].get("LogRole") != "exists":
        left_out -= {"AccountLog"}
    if "BudgetMail" in WAYS[way]:
        left_out -= {"AccountBudget"}
    expected = {
        name
        for name in TEMPLATE.resources
        if not (
            ("Token" in left_out and name.startswith("Token"))
            or ("Alarm" in left_out and name.endswith("Alarm"))
            or any(name.startswith(kind) for kind in left_out & {"AccountLog", "AccountBudget"})
        )
    }
    assert set(deployed.resources) == expected
    assert ("TokenUrl" in deployed.outputs) == (WAYS[way].get("OpenSignIn") == "yes")


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_deploy_are_taken_by_the_template_and_by_the_functions(way):
    deployed = ResolvedTemplate(TEMPLATE.data, WAYS[way])
    assert deployed.refusals == []
    read_settings(deployed.environment)


def test_what_the_functions_refuse_to_start_with_the_template_refuses_to_deploy():
    values = {
        "TokenSecretParameter": ["", "/kizuna/secret"],
        "JwksUrl": ["", "https://id.example.org/jwks.json"],
        "Audience": ["", "chat"],
        "Issuer": ["", "https://id.example.org/"],
        "OpenSignIn": ["no", "yes"],
    }
    taken = set()
    for combination in itertools.product(*values.values()):
        parameters = {
            **dict(zip(values, combination, strict=True)),
            "AllowedOrigins": "https://chat.example.org",
        }
        deployed = ResolvedTemplate(TEMPLATE.data, parameters)
        try:
            read_settings(deployed.environment)
            taken.add(combination)
        except Misconfigured:
            assert deployed.refusals, parameters
        else:
            assert not deployed.refusals, parameters
    assert len(taken) == 6  # by secret with or without audience and issuer, the same open, by keys


# --- routes ---


def test_every_action_has_a_route_and_every_route_a_handler(store, tokens):
    backend = Backend(store, FakeGateway())
    assert set(TEMPLATE.routes("WebSocketApi")) == backend.routes == {"$connect", "$disconnect", *MESSAGES}
    backend.close()


def test_routes_lead_to_the_function_that_has_the_rights_for_them():
    expected = {"$connect": "ConnectFunction", "$disconnect": "DisconnectFunction"}
    expected |= dict.fromkeys(MESSAGES, "MessageFunction")
    assert TEMPLATE.routes("WebSocketApi") == expected
    assert TEMPLATE.authorizer == "AuthorizerFunction"
    assert TEMPLATE.routes("HttpApi") == {"POST /ticket": "TicketFunction", "POST /token": "TokenFunction"}
    assert TEMPLATE.resources["WebSocketApi"]["Properties"]["RouteSelectionExpression"] == (
        "$request.body.action"
    )


def test_what_a_handler_returns_goes_back_as_a_frame():
    routes = TEMPLATE.all("AWS::ApiGatewayV2::Route")
    answering = {
        route["RouteKey"]
        for route in routes.values()
        if route.get("RouteResponseSelectionExpression") == "$default"
    }
    responses = TEMPLATE.all("AWS::ApiGatewayV2::RouteResponse").values()
    assert {response["RouteResponseKey"] for response in responses} == {"$default"}
    answered = {routes[response["RouteId"]["Ref"]]["RouteKey"] for response in responses}
    assert answered == answering == MESSAGES


@pytest.mark.parametrize("way", ["secret", "open", "keys"])
@nobodys_account()
def test_the_http_api_has_the_routes_that_the_functions_answer(way, store):
    deployed = ResolvedTemplate(TEMPLATE.data, WAYS[way])
    settings = read_settings(deployed.environment)
    verifier, issuer = verifier_and_issuer(settings)
    answered = Cloud(settings, store, verifier, lambda endpoint: FakeGateway(), issuer=issuer).http_routes
    routes = [
        resource["Properties"]["RouteKey"]
        for resource in deployed.resources.values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
        and resource["Properties"]["ApiId"] == {"Ref": "HttpApi"}
    ]
    assert set(routes) == answered


def test_no_connection_is_opened_before_the_authorizer_was_asked():
    ((name, authorizer),) = TEMPLATE.all("AWS::ApiGatewayV2::Authorizer").items()
    (connect,) = (
        route
        for route in TEMPLATE.all("AWS::ApiGatewayV2::Route").values()
        if route["RouteKey"] == "$connect"
    )
    assert (connect["AuthorizationType"], connect["AuthorizerId"]) == ("CUSTOM", {"Ref": name})
    assert (authorizer["ApiId"], authorizer["AuthorizerType"]) == ({"Ref": "WebSocketApi"}, "REQUEST")
    assert authorizer["IdentitySource"] == ["route.request.querystring.token"]
    # Kept answers would let a ticket in twice.
    assert "AuthorizerResultTtlInSeconds" not in authorizer


def test_each_api_may_call_its_functions_and_nobody_else_may():
    permissions = set()
    for permission in TEMPLATE.all("AWS::Lambda::Permission").values():
        assert (permission["Principal"], permission["Action"]) == (
            "apigateway.amazonaws.com",
            "lambda:InvokeFunction",
        )
        source = permission["SourceArn"]["Fn::Sub"].rpartition(":")[2]
        permissions.add((named(permission["FunctionName"]), source))
    expected = {
        (function, f"${{{api}}}/*")
        for api in ("WebSocketApi", "HttpApi")
        for function in TEMPLATE.routes(api).values()
    }
    (authorizer,) = TEMPLATE.all("AWS::ApiGatewayV2::Authorizer")
    expected.add((TEMPLATE.authorizer, f"${{WebSocketApi}}/authorizers/${{{authorizer}}}"))
    assert permissions == expected


def test_pages_of_allowed_origins_may_ask_for_tickets_with_a_header():
    cors = TEMPLATE.resources["HttpApi"]["Properties"]["CorsConfiguration"]
    assert cors["AllowOrigins"] == {"Ref": "AllowedOrigins"}
    assert (cors["AllowMethods"], cors["AllowHeaders"]) == (["POST"], ["authorization", "content-type"])
    assert cors["ExposeHeaders"] == ["retry-after"]


# --- rights: what each function may do is what it does ---


@nobodys_account()
def test_each_function_may_do_what_it_does_and_nothing_else(clock, monkeypatch):
    from moto import mock_aws

    with mock_aws():
        recorded = RecordedBackend(clock, monkeypatch)
        everything_that_can_happen(recorded)
        recorded.gateway.shut_down()
    assert dict(recorded.used) == {name: TEMPLATE.actions(name) for name in TEMPLATE.functions}


def test_rights_are_on_this_table_these_connections_and_this_secret_alone():
    for function in TEMPLATE.functions:
        for statement in TEMPLATE.statements(function):
            assert statement["Effect"] == "Allow"
            service = {action.split(":")[0] for action in as_list(statement["Action"])}
            for resource in as_list(statement["Resource"]):
                if service == {"dynamodb"}:
                    assert resource == {"Fn::GetAtt": ["Table", "Arn"]}
                elif service == {"execute-api"}:
                    assert re.search(
                        r":\$\{WebSocketApi\}/\$\{StageName\}/(POST|DELETE)/@connections/\*$",
                        resource["Fn::Sub"],
                    )
                else:
                    assert resource["Fn::Sub"].endswith(":parameter${TokenSecretParameter}")


def test_nothing_scans_and_nothing_may_do_everything():
    assert "Scan" not in TEXT
    assert "CrudPolicy" not in TEXT
    assert not any("*" in action for name in TEMPLATE.functions for action in TEMPLATE.actions(name))


# --- functions ---


def test_functions_run_what_is_packaged_on_a_runtime_that_exists():
    for name, function in TEMPLATE.functions.items():
        assert function["Runtime"] in {"python3.12", "python3.13", "python3.14"}, name
        assert function["Architectures"] == ["arm64"], name
        assert function["Handler"] == "backend.aws.lambda_handler.handler", name
        assert function["CodeUri"] == "../dist/kizuna-aws.zip", name
        # Long enough for a call to the table to fail in its own words, and no longer than anybody waits.
        slowest = ATTEMPTS * (CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS) + PAUSES_SECONDS
        assert slowest < function["Timeout"] <= GATEWAY_SECONDS, name
    assert TEMPLATE.functions["MessageFunction"]["MemorySize"] == 1769  # one whole CPU, for broadcasts


def test_settings_of_the_template_are_those_that_are_read():
    given = set(TEMPLATE.data["Globals"]["Function"]["Environment"]["Variables"])
    assert given == set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', inspect.getsource(read_settings)))
    assert given == set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b|\bISSUER\b|\bAUDIENCE\b", cloud.__doc__ or ""))


def test_defaults_of_the_template_are_those_of_one_machine():
    parameters = TEMPLATE.data["Parameters"]
    assert float(parameters["RateLimit"]["Default"]) == PER_SECOND
    assert parameters["RateBurst"]["Default"] == BURST
    assert parameters["RateBurstNew"]["Default"] == BURST_NEW
    limits = ActionLimits(
        *(float(parameters[n]["Default"]) for n in ("TypingSeconds", "HelloLimit", "AskLimit"))
    )
    assert limits == ActionLimits()
    assert parameters["MostConnections"]["Default"] == MAX_CONNECTIONS_PER_PERSON
    assert float(parameters["TokenLimit"]["Default"]) == TOKENS_PER_SECOND
    assert float(parameters["TicketLimit"]["Default"]) == TICKETS_PER_SECOND


# --- what an attack can cost ---


def made(parameters: Parameters) -> ResolvedTemplate:
    """Return the stack as SAM and CloudFormation make it."""
    return ResolvedTemplate(transformed(TEXT, parameters), parameters)


def concurrency(deployed: ResolvedTemplate) -> list[object]:
    """Return how often each function may run at once; None without a limit."""
    functions = [r for r in deployed.resources.values() if r["Type"] == "AWS::Lambda::Function"]
    return [function["Properties"].get("ReservedConcurrentExecutions") for function in functions]


@nobodys_account()
def test_bounds_of_the_bill_are_off_unless_asked_for():
    deployed = made(WAYS["open"])
    assert concurrency(deployed) == [None] * len(TEMPLATE.functions)
    assert "OnDemandThroughput" not in deployed.resources["Table"]["Properties"]
    assert not [r for r in deployed.resources.values() if r["Type"] == "AWS::Budgets::Budget"]


@nobodys_account()
def test_every_bound_of_the_bill_is_there_when_asked_for():
    deployed = made(WAYS["bounds"])
    assert concurrency(deployed) == [20] * len(TEMPLATE.functions)
    throughput = deployed.resources["Table"]["Properties"]["OnDemandThroughput"]
    assert throughput == {"MaxReadRequestUnits": 1000, "MaxWriteRequestUnits": 200}
    budget = deployed.resources["AccountBudget"]["Properties"]
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 30, "Unit": "USD"}
    told = [notice["Subscribers"] for notice in budget["NotificationsWithSubscribers"]]
    assert told == [[{"SubscriptionType": "EMAIL", "Address": "ann@example.org"}]] * 2


@pytest.mark.parametrize(
    ("word", "bound"), [("TableReads", "MaxReadRequestUnits"), ("TableWrites", "MaxWriteRequestUnits")]
)
def test_reads_and_writes_are_bound_each_by_itself(word: str, bound: str):
    deployed = ResolvedTemplate(TEMPLATE.data, {**WAYS["secret"], word: 7})
    assert deployed.resources["Table"]["Properties"]["OnDemandThroughput"] == {bound: 7}


# --- table, stages, logs ---


def test_the_table_is_what_the_store_expects_and_is_not_lost():
    table, resource = TEMPLATE.resources["Table"]["Properties"], TEMPLATE.resources["Table"]
    keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
    assert keys == {"HASH": PARTITION_KEY, "RANGE": SORT_KEY}
    assert {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]} == {
        PARTITION_KEY: "S",
        SORT_KEY: "S",
    }
    assert table["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


def test_a_change_of_routes_is_live_without_a_deployment_that_somebody_forgets():
    stages = TEMPLATE.all("AWS::ApiGatewayV2::Stage")
    assert {stage["ApiId"]["Ref"] for stage in stages.values()} == {"WebSocketApi", "HttpApi"}
    assert all(stage["AutoDeploy"] for stage in stages.values())


def test_websocket_stage_depends_on_every_route():
    responses = TEMPLATE.all("AWS::ApiGatewayV2::RouteResponse")
    answered = {response["RouteId"]["Ref"] for response in responses.values()}
    routes = {
        name
        for name, route in TEMPLATE.all("AWS::ApiGatewayV2::Route").items()
        if route["ApiId"] == {"Ref": "WebSocketApi"}
    }
    assert set(TEMPLATE.resources["WebSocketStage"]["DependsOn"]) == (routes - answered) | set(responses)


def test_stages_are_throttled_below_the_quotas_of_the_account():
    for stage in TEMPLATE.all("AWS::ApiGatewayV2::Stage").values():
        for name, quota in (("ThrottlingRateLimit", 10_000), ("ThrottlingBurstLimit", 5_000)):
            value = stage["DefaultRouteSettings"][name]
            value = TEMPLATE.data["Parameters"][value["Ref"]]["Default"] if isinstance(value, dict) else value
            assert 0 < value < quota


def test_logs_say_what_happened_and_never_with_which_token():
    for stage in TEMPLATE.all("AWS::ApiGatewayV2::Stage").values():
        line = json.loads(stage["AccessLogSettings"]["Format"])
        assert {"requestId", "requestTime", "routeKey", "status"} <= set(line)
        for field in line.values():
            assert not re.search(r"path|query|header|authori[sz]er|identity", field, re.IGNORECASE), field
        assert stage["DefaultRouteSettings"].get("DataTraceEnabled", False) is False


def test_log_lines_are_kept_for_a_while_and_no_longer():
    groups = TEMPLATE.all("AWS::Logs::LogGroup")
    assert all(group["RetentionInDays"] == {"Ref": "LogDays"} for group in groups.values())
    for function in TEMPLATE.functions.values():
        assert named(function["LoggingConfig"]["LogGroup"]) in groups
        assert function["LoggingConfig"]["ApplicationLogLevel"] == "INFO"


def test_somebody_is_told_when_it_goes_wrong():
    alarms = TEMPLATE.all("AWS::CloudWatch::Alarm")
    assert len(alarms) == 5
    assert all(alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}] for alarm in alarms.values())
    watched = json.dumps(list(alarms.values()))
    assert all(f'{{"Ref": "{name}"}}' in watched for name in [*TEMPLATE.functions, "Table", "WebSocketApi"])


@pytest.mark.parametrize("open_sign_in", ["yes", "no"])
def test_an_alarm_adds_up_the_metrics_that_it_names(open_sign_in):
    deployed = ResolvedTemplate(TEMPLATE.data, {**WAYS["alarms"], "OpenSignIn": open_sign_in})
    sums = 0
    for resource in deployed.resources.values():
        for metric in resource["Properties"].get("Metrics", []):
            if "Expression" in metric:
                others = [other["Id"] for other in resource["Properties"]["Metrics"] if other is not metric]
                assert metric["Expression"].split(" + ") == others
                sums += 1
    assert sums == 3


def test_the_urls_that_a_page_needs_are_outputs():
    outputs = TEMPLATE.data["Outputs"]
    assert outputs["WebSocketUrl"]["Value"]["Fn::Sub"].startswith("wss://${WebSocketApi}.")
    for name, path in (("TicketUrl", "/ticket"), ("TokenUrl", "/token")):
        assert outputs[name]["Value"]["Fn::Sub"].startswith("https://${HttpApi}.")
        assert outputs[name]["Value"]["Fn::Sub"].endswith(path)
    assert outputs["TableName"]["Value"] == {"Ref": "Table"}

"""template.yaml for tests: its resources, the function of each route, and the rights of each function."""

import re
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tests.support.process import ROOT

Properties = dict[str, Any]
Parameters = Mapping[str, str | int]

_ORIGINS = {"AllowedOrigins": "https://chat.example.org"}
_ISSUER = {"Audience": "chat", "Issuer": "https://id.example.org/"}
_SECRET = {**_ORIGINS, "TokenSecretParameter": "/kizuna/secret"}
_OPEN = {**_SECRET, "OpenSignIn": "yes"}
#: Ways to deploy, by what is particular about them.
WAYS: dict[str, Parameters] = {
    "secret": _SECRET,
    "open": _OPEN,
    "keys": {**_ORIGINS, **_ISSUER, "JwksUrl": "https://id.example.org/jwks.json"},
    "alarms": {**_OPEN, "AlarmTopic": "arn:aws:sns:eu-central-1:123456789012:alarms", "LogRole": "exists"},
    "bounds": {
        **_OPEN,
        "FunctionConcurrency": 20,
        "TableReads": 1000,
        "TableWrites": 200,
        "BudgetMail": "ann@example.org",
        "Budget": 30,
    },
}

_NOTHING = {"Ref": "AWS::NoValue"}


class Template:
    """The template as it is written."""

    def __init__(self) -> None:
        self.text = (ROOT / "backend" / "aws" / "template.yaml").read_text(encoding="utf-8")
        self.data: Properties = yaml_parse(self.text)
        self.resources: Properties = self.data["Resources"]

    def all(self, kind: str) -> dict[str, Properties]:
        """Return the properties of every resource of one type, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    @property
    def functions(self) -> dict[str, Properties]:
        """Every function with the global settings."""
        common = self.data["Globals"]["Function"]
        own = self.all("AWS::Serverless::Function")
        return {name: {**common, **properties} for name, properties in own.items()}

    def routes(self, api: str) -> dict[str, str]:
        """Return the function behind each route of an API, by route key."""
        found = {}
        for route in self.all("AWS::ApiGatewayV2::Route").values():
            if route["ApiId"] == {"Ref": api}:
                integration = self.resources[named(route["Target"])]["Properties"]
                assert integration["ApiId"] == {"Ref": api}
                found[route["RouteKey"]] = named(integration["IntegrationUri"])
        return found

    @property
    def authorizer(self) -> str:
        """The function that is called before ``$connect``."""
        (route,) = (r for r in self.all("AWS::ApiGatewayV2::Route").values() if r["RouteKey"] == "$connect")
        assert route["AuthorizationType"] == "CUSTOM"
        return named(self.resources[route["AuthorizerId"]["Ref"]]["Properties"]["AuthorizerUri"])

    def statements(self, function: str) -> Iterator[Properties]:
        """Return the policy of a function's role, if tokens are verified by a secret."""
        for policy in self.functions[function]["Policies"]:
            for statement in policy["Statement"]:
                yield statement["Fn::If"][1] if "Fn::If" in statement else statement

    def actions(self, function: str) -> set[str]:
        """Return the IAM actions that a function may take; those on connections with their HTTP method."""
        return {
            f"{action} {resource['Fn::Sub'].split('/')[2]}" if action.startswith("execute-api:") else action
            for statement in self.statements(function)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        }


class ResolvedTemplate:
    """The template as CloudFormation resolves it under some parameters.

    Conditions are decided, what they leave out is gone, and parameters have their values.
    """

    def __init__(self, template: Properties, parameters: Parameters) -> None:
        self._template = template
        self._values: Properties = {
            name: parameters.get(name, parameter.get("Default", ""))
            for name, parameter in template["Parameters"].items()
        }
        self._values["AllowedOrigins"] = self._values["AllowedOrigins"].split(",")  # the only list
        self.resources = self._kept("Resources")
        self.outputs = self._kept("Outputs")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a function, with "x" for values that only AWS knows."""
        variables = self._resolved(self._template["Globals"]["Function"]["Environment"]["Variables"])
        return {name: _text(value) for name, value in variables.items()}

    @property
    def refusals(self) -> list[str]:
        """The rules by which CloudFormation would refuse these parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self._template["Rules"].values()
            if "RuleCondition" not in rule or self._holds(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self._holds(assertion["Assert"])
        ]

    def _kept(self, section: str) -> Properties:
        return {
            name: self._resolved({key: value for key, value in entry.items() if key != "Condition"})
            for name, entry in self._template[section].items()
            if "Condition" not in entry or self._holds({"Condition": entry["Condition"]})
        }

    def _holds(self, condition: Properties) -> bool:
        ((operator, operands),) = condition.items()
        if operator == "Condition":
            return self._holds(self._template["Conditions"][operands])
        if operator == "Fn::Equals":
            left, right = self._resolved(operands)
            return bool(left == right)
        results = [self._holds(operand) for operand in operands]
        return {"Fn::Not": not results[0], "Fn::And": all(results), "Fn::Or": any(results)}[operator]

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolved, value) if item != _NOTHING]
        if not isinstance(value, dict):
            return value
        if "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            return self._resolved(yes if self._holds({"Condition": condition}) else no)
        if set(value) == {"Ref"}:
            return self._values.get(value["Ref"], value)
        if set(value) == {"Fn::Sub"}:
            text: str = value["Fn::Sub"]
            for name, known in self._values.items():
                text = text.replace(f"${{{name}}}", str(known))
            return {"Fn::Sub": text} if "${" in text else text
        resolved = {key: self._resolved(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item != _NOTHING}


def _text(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(parts)
    return re.sub(r"\$\{[^}]+\}", "x", value.get("Fn::Sub", "x"))


def as_list(value: Any) -> list[Any]:
    """Return one or several values as a list, as CloudFormation does."""
    return value if isinstance(value, list) else [value]


def named(reference: Properties) -> str:
    """Return the logical id in a Ref, a GetAtt or a Sub that names one resource."""
    if "Fn::Sub" in reference:
        (name,) = re.findall(r"\$\{(\w+)(?:\.Arn)?\}", reference["Fn::Sub"])
        return str(name)
    return str(reference.get("Ref") or reference["Fn::GetAtt"][0])


def transformed(text: str, parameters: Parameters) -> Properties:
    """Return the template as CloudFormation gets it from SAM; the code lies in a bucket. Needs a region in the
    environment."""
    from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

    template = yaml_parse(text)
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/kizuna-aws.zip"
    name = "AWSLambdaBasicExecutionRole"
    policies = SimpleNamespace(load=lambda: {name: f"arn:aws:iam::aws:policy/service-role/{name}"})
    made: Properties = transform(template, dict(parameters), policies)
    return made

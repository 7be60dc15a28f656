"""template.yaml as tests read it: its resources, which function each route leads to, and what each may do."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

PATH = Path(__file__).resolve().parents[2] / "backend" / "template.yaml"

Properties = dict[str, Any]
Parameters = Mapping[str, str]

ORIGINS = {"AllowedOrigins": "https://chat.example.org"}
#: Ways to deploy, by what is particular about them.
WAYS: dict[str, Parameters] = {
    "secret": {**ORIGINS, "TokenSecretParameter": "/kizuna/secret"},
    "open": {**ORIGINS, "TokenSecretParameter": "/kizuna/secret", "OpenSignIn": "yes"},
    "keys": {
        **ORIGINS,
        "JwksUrl": "https://id.example.org/jwks.json",
        "Audience": "chat",
        "Issuer": "https://id.example.org/",
    },
    "alarms": {
        **ORIGINS,
        "TokenSecretParameter": "/kizuna/secret",
        "OpenSignIn": "yes",
        "AlarmTopic": "arn:aws:sns:eu-central-1:123456789012:alarms",
        "LogRole": "exists",
    },
}

_NOTHING: dict[str, str] = {"Ref": "AWS::NoValue"}


class Template:
    """Responsible for looking things up in the template as it is written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data: Properties = yaml_parse(text)
        self.resources: Properties = self.data["Resources"]

    def all(self, kind: str) -> dict[str, Properties]:
        """The properties of every resource of one type, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    @property
    def functions(self) -> dict[str, Properties]:
        """Every function with what holds for all of them."""
        common = self.data["Globals"]["Function"]
        own = self.all("AWS::Serverless::Function")
        return {name: {**common, **properties} for name, properties in own.items()}

    def routes(self, api: str) -> dict[str, str]:
        """The function behind each route of an API, by route key."""
        found = {}
        for route in self.all("AWS::ApiGatewayV2::Route").values():
            if route["ApiId"] == {"Ref": api}:
                integration = self.resources[named(route["Target"])]["Properties"]
                assert integration["ApiId"] == {"Ref": api}
                found[route["RouteKey"]] = named(integration["IntegrationUri"])
        return found

    @property
    def authorizer(self) -> str:
        """The function that is asked before ``$connect``."""
        (route,) = (r for r in self.all("AWS::ApiGatewayV2::Route").values() if r["RouteKey"] == "$connect")
        assert route["AuthorizationType"] == "CUSTOM"
        return named(self.resources[route["AuthorizerId"]["Ref"]]["Properties"]["AuthorizerUri"])

    def statements(self, function: str) -> Iterator[Properties]:
        """What a function's role allows, if tokens are verified by a secret."""
        for policy in self.functions[function]["Policies"]:
            for statement in policy["Statement"]:
                yield statement["Fn::If"][1] if "Fn::If" in statement else statement

    def actions(self, function: str) -> set[str]:
        """The IAM actions that a function may take; those on connections with their HTTP method."""
        found: set[str] = set()
        for statement in self.statements(function):
            for action in as_list(statement["Action"]):
                if action == "execute-api:ManageConnections":
                    for resource in as_list(statement["Resource"]):
                        found.add(f"{action} {resource['Fn::Sub'].split('/')[2]}")
                else:
                    found.add(action)
        return found


class Deployed:
    """Responsible for what CloudFormation would make of the template under some parameters.

    Conditions are decided, what they leave out is gone, and parameters have their values.
    """

    def __init__(self, template: Properties, parameters: Parameters) -> None:
        declared: Properties = template.get("Parameters", {})
        self._values: dict[str, Any] = {
            name: _value(parameter, parameters.get(name, parameter.get("Default", "")))
            for name, parameter in declared.items()
        }
        self._conditions: Properties = template.get("Conditions", {})
        self._rules: Properties = template.get("Rules", {})
        self.resources = self._kept(template["Resources"])
        self.outputs = self._kept(template.get("Outputs", {}))
        functions = self._resolved(template.get("Globals", {})).get("Function", {})
        variables: Properties = functions.get("Environment", {}).get("Variables", {})
        #: What a function finds in its environment; what only AWS knows stands there as JSON.
        self.environment = {name: _text(value) for name, value in variables.items()}

    @property
    def refusals(self) -> list[str]:
        """Why CloudFormation would not take these parameters."""
        return [
            assertion["AssertDescription"]
            for rule in self._rules.values()
            if self._holds(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}))
            for assertion in rule["Assertions"]
            if not self._holds(assertion["Assert"])
        ]

    def _kept(self, section: Properties) -> Properties:
        return {
            name: self._resolved({key: value for key, value in entry.items() if key != "Condition"})
            for name, entry in section.items()
            if "Condition" not in entry or self._holds({"Condition": entry["Condition"]})
        }

    def _holds(self, condition: Properties) -> bool:
        ((operator, operands),) = condition.items()
        if operator == "Condition":
            return self._holds(self._conditions[operands])
        if operator == "Fn::Equals":
            left, right = (self._resolved(operand) for operand in operands)
            return bool(left == right)
        results = [self._holds(operand) for operand in operands]
        return {"Fn::Not": not results[0], "Fn::And": all(results), "Fn::Or": any(results)}[operator]

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolved(item) for item in value if self._resolved(item) != _NOTHING]
        if not isinstance(value, dict):
            return value
        if "Fn::If" in value:
            condition, yes, no = value["Fn::If"]
            return self._resolved(yes if self._holds({"Condition": condition}) else no)
        if set(value) == {"Ref"} and value["Ref"] in self._values:
            return self._values[value["Ref"]]
        if set(value) == {"Fn::Sub"}:
            return self._substituted(value["Fn::Sub"])
        resolved = {key: self._resolved(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item != _NOTHING}

    def _substituted(self, text: str) -> Any:
        for name, value in self._values.items():
            text = text.replace(f"${{{name}}}", str(value))
        return {"Fn::Sub": text} if "${" in text else text


def _value(parameter: Properties, value: Any) -> Any:
    return value.split(",") if parameter["Type"] == "CommaDelimitedList" else value


def _text(value: Any) -> str:
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(as_list(parts))
    if isinstance(value, dict) and "Fn::Sub" in value:
        return re.sub(r"\$\{[^}]+\}", "x", value["Fn::Sub"])
    return json.dumps(value) if isinstance(value, dict) else str(value)


def as_list(value: Any) -> list[Any]:
    """One or several, as CloudFormation has it."""
    return value if isinstance(value, list) else [value]


def named(reference: Properties) -> str:
    """The logical id in a Ref, a GetAtt or a Sub that names one resource."""
    if "Fn::Sub" in reference:
        inside = [part.split("}")[0] for part in reference["Fn::Sub"].split("${")[1:]]
        (name,) = [part for part in inside if not part.startswith("AWS::")]
        return str(name).removesuffix(".Arn")
    if "Fn::GetAtt" in reference:
        return str(as_list(reference["Fn::GetAtt"])[0]).removesuffix(".Arn")
    return str(reference["Ref"])


def transformed(text: str, parameters: Parameters) -> Properties:
    """The template as CloudFormation gets it from SAM; the code lies in a bucket. Needs a region in the environment."""
    from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

    class Policies:
        def load(self) -> dict[str, str]:
            name = "AWSLambdaBasicExecutionRole"
            return {name: f"arn:aws:iam::aws:policy/service-role/{name}"}

    template = yaml_parse(text)
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/kizuna-aws.zip"
    made: Properties = transform(template, dict(parameters), Policies())
    return made

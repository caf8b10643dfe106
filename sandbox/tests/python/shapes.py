"""Holds every answer of the sandbox against the public API model, element by element.

An SDK ignores what it does not know, so a misspelled element or a list member of the wrong name looks like an absent
value. Here it is an error. Prints one line for each error; the exit status says whether there were any.
"""

import os
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

import botocore.session

NS = "{http://rds.amazonaws.com/doc/2014-10-31/}"
MODEL = botocore.session.get_session().get_service_model("rds")
AUTH = "AWS4-HMAC-SHA256 Credential=AKIASANDBOXSANDBOX00/20260101/eu-west-1/rds/aws4_request, SignedHeaders=host, Signature=0"
errors = []


def call(action, fields):
    body = urllib.parse.urlencode({"Action": action, "Version": "2014-10-31", **fields}).encode()
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, {"Authorization": AUTH})
    with urllib.request.urlopen(request) as answer:
        return ET.fromstring(answer.read())


def walk(element, shape, where):
    if shape.type_name == "structure":
        names = {
            member.serialization.get("name", name): member for name, member in shape.members.items()
        }
        seen = set()
        for child in element:
            name = child.tag.removeprefix(NS)
            if name not in names:
                errors.append(f"{where}: <{name}> is not in the model of {shape.name}")
            elif name in seen:
                errors.append(f"{where}: <{name}> comes twice")
            else:
                seen.add(name)
                walk(child, names[name], f"{where}.{name}")
    elif shape.type_name == "list":
        member = shape.member.serialization.get("name", "member")
        for n, child in enumerate(element):
            name = child.tag.removeprefix(NS)
            if name != member:
                errors.append(f"{where}: a list of <{member}> holds <{name}>")
            walk(child, shape.member, f"{where}[{n}]")
    else:
        text = element.text or ""
        if len(element):
            errors.append(f"{where}: a {shape.type_name} has children")
        valid = {
            "integer": lambda: int(text),
            "long": lambda: int(text),
            "double": lambda: float(text),
            "boolean": lambda: {"true": 1, "false": 0}[text],
            "timestamp": lambda: text.endswith("Z") or 1 / 0,
            "string": lambda: None,
        }
        try:
            valid[shape.type_name]()
        except (ValueError, KeyError, ZeroDivisionError):
            errors.append(f"{where}: {text!r} is no {shape.type_name}")


def check(action, fields):
    root = call(action, fields)
    if root.tag != f"{NS}{action}Response":
        errors.append(f"{action}: the root is {root.tag}")
    operation = MODEL.operation_model(action)
    result = root.find(f"{NS}{action}Result")
    if operation.output_shape is None:
        return root
    if result is None:
        errors.append(f"{action}: there is no {action}Result")
        return root
    walk(result, operation.output_shape, action)
    if root.find(f"{NS}ResponseMetadata/{NS}RequestId") is None:
        errors.append(f"{action}: there is no request ID")
    return root


with open(sys.argv[1], encoding="utf-8") as file:
    calls = [line.rstrip("\n").split("\t") for line in file if line.strip()]
for action, *fields in calls:
    check(action, dict(field.split("=", 1) for field in fields))
for error in errors:
    print(error)
print(f"{len(calls)} answers held against botocore {botocore.__version__}")
sys.exit(bool(errors))

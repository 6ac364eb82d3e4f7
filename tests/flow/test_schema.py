# SPDX-License-Identifier: Apache-2.0
"""policy/bridle.schema.json refuses nothing that loads, knows every key of the loader, and refuses wrong shapes."""
import glob
import json
import os
import re
import subprocess

import jsonschema
import pytest

import stage as st
import vectors as v

with open(os.path.join(st.ROOT, "policy/bridle.schema.json"), encoding="utf-8") as f:
    SCHEMA = json.load(f)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CREDENTIAL = {"upstream": "https://a.example.com", "credential_key": "file:///a"}


def network(**keys):
    return {"network": keys}


def rule(**keys):
    return network(allow_domain=[{"host": "a.example.com", "paths": [{"method": "GET", "path": "/", **keys}]}])


def credential(**keys):
    return {"custom_credentials": {"x": {**CREDENTIAL, **keys}}}


WRONG = [
    [], "x", {"networks": {}}, {"version": 2}, network(allow_domain="a.example.com"), network(allow_domain=[1]),
    network(allow_domains=[]), network(allow_domain=[{}]), network(allow_domain=[{"host": "a", "path": []}]),
    network(allow_domain=["a.example.com/x"]), network(allow_domain=[{"host": "a", "tls": "passthrough", "paths": []}]),
    network(allow_tcp=["a.example.com"]), network(publish=[{"port": 0, "from": []}]), network(publish=[{"port": 80}]),
    network(proxy_ports=[65536]), network(resolve={"a": []}), network(resolve={"a": "10.77.0.2"}),
    rule(method="get"), rule(method="P*"), rule(method="GET|POST"), rule(action="deny", query=["a"]),
    rule(action="deny", credential="x"), rule(action="deny", method_override=True), rule(action="deny", upgrade="websocket"),
    credential(tls_ca=5), credential(tls_ca="ca.pem"), credential(query_param_name=7), credential(path_pattern={}),
    credential(cookie_name="a b"), credential(path_replacement=[]),
    rule(action="refuse"), rule(path="x"), rule(methods="GET"), rule(method="a b"), rule(query="a"), rule(upgrade="h2c"),
    credential(upstream="http://a.example.com"), credential(credential_key="glpat-123"), credential(auth={}),
    credential(inject_mode="body"), credential(credential_format="Bearer"), credential(env_var="1A"),
    credential(watch="yes"), {"custom_credentials": {"x": {"upstream": "https://a.example.com"}}},
    {"tls": {"trust": ["ca.pem"]}}, {"tls": {"ca": {"cert": "file:///a"}}},
]


def properties(node):
    """Every key that some object of the schema names."""
    found = set()
    if isinstance(node, dict):
        found |= set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
        for value in node.values():
            found |= properties(value)
    elif isinstance(node, list):
        for value in node:
            found |= properties(value)
    return found


def test_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_whatever_loads_is_valid():
    documents = [(row["name"], v.text_of(row)) for row in v.load() if "why" in row]
    for path in glob.glob(os.path.join(st.ROOT, "policy/examples/*.json")):
        with open(path, encoding="utf-8") as example:
            documents.append((path, example.read()))
    assert len(documents) > 100
    wrong = [(name, e.message) for name, text in documents for e in VALIDATOR.iter_errors(json.loads(text))]
    assert wrong == []


def test_keys_are_those_of_the_loader():
    known = set()
    for path in glob.glob(os.path.join(st.ROOT, "policy/load*.c")):
        with open(path, encoding="utf-8") as source:
            for table in re.findall(r"\bknown(?:_[a-z]+)?\[\] = \{(.*?)\}", source.read(), re.S):
                known |= set(re.findall(r'"([a-z_$]+)"', table))
    assert len(known) > 30
    assert properties(SCHEMA) == known


@pytest.mark.parametrize("document", WRONG, ids=json.dumps)
def test_wrong_shapes_are_refused_by_both(stage, document):
    assert not VALIDATOR.is_valid(document)
    path = os.path.join(stage.dir, "schema.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(document, out)
    result = subprocess.run([st.BRIDLE, "policy", "check", path], capture_output=True, check=False, timeout=60)
    assert result.returncode == 2

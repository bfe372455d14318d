"""What the ingress publishes about itself."""

from __future__ import annotations

import pytest

from worker.domain.vocabulary import KINDS
from worker.web.problems import KINDS as PROBLEMS
from worker.web.schemas import NAMES, ProblemDocument, openapi


def references(value):
    """All addresses that a document refers to."""
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_the_schema_of_events_has_each_kind_with_its_own_name_required(web):
    schema = web.get("/schemas/event.json", token=None).json()
    enqueued = {kind for kind, rules in KINDS.items() if rules.enqueued}
    assert set(schema["discriminator"]["mapping"]) == enqueued
    for place in schema["discriminator"]["mapping"].values():
        part = schema["$defs"][place.rpartition("/")[2]]
        assert {"kind", "persona", "target"} <= set(part["required"])


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_stands_at_its_own_address(web, name):
    answer = web.get(f"/schemas/{name}.json", token=None)
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert answer.json()["$id"] == f"/schemas/{name}.json"


def test_the_openapi_document_names_addresses_that_are_there(web):
    document = web.get("/openapi.json", token=None).json()
    assert document == openapi()
    for address in references(document):
        assert web.get(address, token=None).status_code == 200
    for path, methods in document["paths"].items():
        for method in methods:
            answer = (web.get if method == "get" else lambda path: web.post(path, {}))(
                path.format(persona="ava", receipt="x")
            )
            assert answer.json().get("type") not in ("/problems/not-found", "/problems/method-not-allowed")


def test_a_schema_that_is_not_there(web):
    assert web.get("/schemas/nothing.json", token=None).status_code == 404


def test_a_problem_is_as_its_schema_says(web):
    answer = web.post("/v1/events", {"kind": "x"})
    assert ProblemDocument.model_validate(answer.json()).field == "kind"
    statuses = {kind.status for kind in PROBLEMS.values()} - {405}
    assert {str(status) for status in statuses} <= {*openapi()["paths"]["/v1/events"]["post"]["responses"]}

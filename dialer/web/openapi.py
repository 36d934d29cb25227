"""The HTTP API's description in OpenAPI 3.1, made from its table of operations and its models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dialer.web.operations import Operation
from dialer.web.problems import MEDIA_TYPE, TYPES, ProblemDocument

_Mode = Literal["validation", "serialization"]
_REF = "#/components/schemas/{model}"
_TEXT: dict[str, Any] = {"type": "string"}
_PROBLEM_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "`Bearer`, and what was wrong with the token."},
    429: {"Retry-After": "Seconds until it is worth asking again."},
    503: {"Retry-After": "Seconds until it is worth asking again."},
}


def describe(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The description."""
    table = tuple(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in table:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Heedline",
            "version": version,
            "summary": "Refusals: recording a callee's 'do not call me', and looking it up.",
            "description": "When a refusal is answered with 201 or 200, no call to this callee on behalf of this "
            "seller is permitted from then on. Problems are `application/problem+json` (RFC 9457), in English, or in "
            "Chinese when `Accept-Language` prefers it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(table),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `heedline token add`, which begins with `hdl_`.",
                }
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    scope = operation.scope
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description + (f" Scope: `{scope.value}`." if scope else ""),
        "parameters": list(_parameters(operation)),
        "responses": dict(_responses(operation)),
        "security": [{"token": []}] if scope else [],
    }
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(operation.body)}}}
    return made


def _parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for name, schema in operation.path_parameters.items():
        yield {"name": name, "in": "path", "required": True, "schema": dict(schema)}
    yield from _of_model(operation.query, "query")
    if operation.recording:
        yield from _of_model(operation.headers, "header")


def _of_model(model: type[BaseModel], place: str) -> Iterable[dict[str, Any]]:
    document = model.model_json_schema(by_alias=True)
    for name, schema in document.get("properties", {}).items():
        required = name in document.get("required", [])
        text = schema.pop("description", "")
        yield {"name": name, "in": place, "required": required, "description": text, "schema": _present(schema)}


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """What stands in a query or a header is there or not there; it is never null."""
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "title") and value is not None}
    options = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    for each in options:
        kept |= each
    return kept


def _responses(operation: Operation) -> Iterable[tuple[str, dict[str, Any]]]:
    for status, answer in operation.answers.items():
        schema = _ref(answer.model) if answer.model else {"type": "object"}
        response = {"description": answer.text, "content": {"application/json": {"schema": schema}}}
        yield str(status), _with_headers(response, answer.headers)
    for code in sorted(operation.all_problems, key=lambda code: TYPES[code].status):
        kind = TYPES[code]
        response = {
            "description": kind.title[0],
            "content": {MEDIA_TYPE: {"schema": _ref(ProblemDocument)}},
        }
        yield str(kind.status), _with_headers(response, _PROBLEM_HEADERS.get(kind.status, {}))


def _with_headers(response: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    if headers:
        response["headers"] = {
            name: {"description": text, "required": True, "schema": _TEXT} for name, text in headers.items()
        }
    return response


def _schemas(table: tuple[Operation, ...]) -> dict[str, Any]:
    models: dict[type[BaseModel], _Mode] = {operation.body: "validation" for operation in table if operation.body}
    for operation in table:
        models |= {answer.model: "serialization" for answer in operation.answers.values() if answer.model}
    models[ProblemDocument] = "serialization"
    _, document = models_json_schema(list(models.items()), by_alias=True, ref_template=_REF)
    schemas: dict[str, Any] = document["$defs"]
    return dict(sorted(schemas.items()))


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}

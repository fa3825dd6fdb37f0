"""`/docs`: the API's page, rendered here from the same OpenAPI that `/openapi.json` gives; nothing comes from elsewhere."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.web.pages import render_plain

router = APIRouter()

METHODS = ("get", "post", "put", "delete")


@router.get("/docs")
async def read_docs(request: Request) -> HTMLResponse:
    """The page."""
    described: dict[str, Any] = request.app.openapi()
    return render_plain(request, "docs.html", groups=_groups(described), schemas=_schemas(described))


def _groups(described: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in described["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                groups.setdefault((operation.get("tags") or ["other"])[0], []).append(
                    {
                        "method": method.upper(),
                        "path": path,
                        "summary": operation.get("summary", ""),
                        "parameters": operation.get("parameters", []),
                        "body": _body(operation),
                        "answers": _answers(operation),
                    }
                )
    return groups


def _body(operation: dict[str, Any]) -> str | None:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return _pretty(schema) if schema else None


def _answers(operation: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for status, answer in operation.get("responses", {}).items():
        schemas = [part.get("schema", {}) for part in answer.get("content", {}).values()]
        names = {str(schema["$ref"]).rpartition("/")[2] for schema in schemas if "$ref" in schema}
        found.append((status, ", ".join(sorted(names)) or answer.get("description", "")))
    return found


def _schemas(described: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, _pretty(schema)) for name, schema in sorted(described["components"]["schemas"].items())]


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()

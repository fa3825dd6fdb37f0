"""Every error the API answers, as RFC 9457 problem details (`application/problem+json`).

Invariants: `type` is a stable word for programs, `detail` says the place and the way out in words; nothing that a person
posted is echoed, and no text of an exception that we did not write ourselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.commands import CommandResult, Missing, Refusal

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:leadline:problem:"


class Problem(BaseModel):
    """Problem details (RFC 9457). `rule`, `rules`, `missing`, `ru`, `en` come with refusals, `errors` with malformed input."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description=f"`{TYPE_PREFIX}` and a stable word")
    title: str
    status: int
    detail: str
    rule: str | None = None
    rules: list[str] | None = None
    missing: list[Missing] | None = None
    errors: list[dict[str, str]] | None = None


class ProblemError(Exception):
    """An answer that is a problem. `extra`: further members; `headers`: of the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The members of the problem."""
        return {
            "type": TYPE_PREFIX + self.code,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }

    def response(self) -> Response:
        """The problem as an HTTP answer."""
        return Response(orjson.dumps(self.body()), self.status, self.headers, MEDIA_TYPE)


def refused(result: CommandResult, language: str) -> ProblemError:
    """A command that was refused by a rule, in the reader's language and in both."""
    refusal = result.refusal
    assert refusal is not None, "a refused command carries its refusal"
    return ProblemError(
        refusal.status,
        "refused",
        refusal.ru if language == "ru" else refusal.en,
        extra={"command": str(result.command), **refusal_members(refusal)},
    )


def refusal_members(refusal: Refusal) -> dict[str, Any]:
    """`rule`, `rules`, `missing`, `overridable`, `ru`, `en` of a refusal."""
    return {"rule": refusal.rules[0] if refusal.rules else None, **refusal.model_dump(mode="json", exclude={"status"})}


def away(what: str, *, command: str | None = None) -> ProblemError:
    """503: a part of the system is away for now. `command`: the id under which a repeat is harmless."""
    again = "try again in a moment"
    if command:
        again = (
            f"repeat it with the header Idempotency-Key: {command}, which is harmless if it was carried out after all"
        )
    return ProblemError(
        503,
        "away",
        f"{what} does not answer at the moment; {again}",
        extra={"command": command} if command else None,
        headers={"Retry-After": "2"},
    )


def invalid(errors: Sequence[Mapping[str, Any]]) -> ProblemError:
    """Input that does not fit: 422, or 400 when it could not even be read. `errors` as pydantic gives them."""
    for error in errors:
        if error.get("type") == "json_invalid":
            place = f" (character {error['loc'][1]})" if len(error["loc"]) > 1 else ""
            return ProblemError(400, "not-json", f"the body cannot be read as JSON in UTF-8: {error['msg']}{place}")
    faults = [{"where": where_of(error["loc"]), "what": str(error["msg"])} for error in errors]
    detail = "; ".join(f"{fault['where']}: {fault['what']}" for fault in faults[:5])
    return ProblemError(422, "invalid", detail, extra={"errors": faults})


def of_validation(error: RequestValidationError | ValidationError) -> ProblemError:
    """The problem for what pydantic refused, without what was given."""
    if isinstance(error, ValidationError):
        return invalid(
            [{**fault} for fault in error.errors(include_input=False, include_url=False, include_context=False)]
        )
    return invalid(list(error.errors()))


def where_of(place: Sequence[Any]) -> str:
    """`body.price.amount` for pydantic's place of an error."""
    return ".".join(str(part)[:60] for part in place) or "body"

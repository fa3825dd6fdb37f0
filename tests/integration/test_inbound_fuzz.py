"""The real door's OpenAPI, fuzzed: no request to `/inbound/*` is a 500, and none that is accepted is lost (K5, N18).

Cases are made by schemathesis from the application's own OpenAPI, those that fit it and those that do not, and posted to the
application over a real Postgres. `LEADLINE_FUZZ` makes that many cases of each kind (40).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from services.database import Pool
from services.settings import Settings
from tests.integration.web_case import Web, deliver, door_over

CASES = int(os.environ.get("LEADLINE_FUZZ", "40"))
PATHS = ("/inbound/forms/{form}", "/inbound/calls", "/inbound/messages", "/inbound/visits")
ANSWERS = {202, 400, 401, 404, 405, 413, 415, 422, 429}
DOOR_OWN = {"authorization", "host", "content-length", "transfer-encoding"}
"""Headers that are the transport's or the token's: a case does not set them."""


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """The door over the aggregate service."""
    async with door_over(settings, pool) as made:
        yield made


def cases(web: Web, path: str, mode: GenerationMode) -> list[dict[str, Any]]:
    """Requests to a path as schemathesis makes them, ready for a client."""
    operation = schemathesis.openapi.from_dict(web.app.openapi())[path]["POST"]
    made: list[dict[str, Any]] = []

    @given(operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=CASES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize="LEADLINE_FUZZ" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    def collect(case: schemathesis.Case) -> None:
        made.append(case.as_transport_kwargs(base_url="http://door"))

    collect()
    return made


async def send(client: httpx.AsyncClient, case: dict[str, Any]) -> httpx.Response | None:
    """Post a case; None for one that no HTTP client can put on the wire."""
    headers = {k: v for k, v in (case.get("headers") or {}).items() if k.lower() not in DOOR_OWN}
    try:
        request = client.build_request(
            case["method"],
            case["url"],
            headers={str(k): str(v) for k, v in headers.items()},
            params=case.get("params"),
            cookies=case.get("cookies"),
            **({"json": case["json"]} if "json" in case else {}),
            **({"content": _bytes(case["data"])} if case.get("data") is not None else {}),
        )
    except (httpx.InvalidURL, UnicodeEncodeError, TypeError, ValueError):
        return None
    return await client.send(request)


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "does not fit"])
@pytest.mark.parametrize("path", PATHS)
async def test_N18_no_request_is_a_500_and_none_accepted_is_lost(web: Web, path: str, mode: GenerationMode) -> None:
    made = cases(web, path, mode)
    assert len(made) >= min(CASES, 5)
    accepted: set[UUID] = set()
    answered = 0
    async with web.api("adapter") as client:
        for case in made:
            answer = await send(client, case)
            if answer is None:
                continue
            answered += 1
            assert answer.status_code in ANSWERS, (answer.status_code, answer.text, case["url"])
            if answer.status_code == 202:
                accepted.add(UUID(answer.json()["inbound_id"]))
            else:
                assert answer.headers["content-type"] == "application/problem+json", answer.text
                assert answer.json()["detail"]
    assert answered >= len(made) // 2, "too few cases could be sent: the test sees nothing"
    if mode is GenerationMode.POSITIVE:
        assert accepted, "nothing that fits was accepted"
    await deliver(web)
    kept = {row[0] for row in await web.pool.fetch("SELECT id FROM leadline.intake")}
    outcomes = {
        row[0]: row[1] for row in await web.pool.fetch("SELECT inbound_id, outcome FROM leadline.inbound_outcomes")
    }
    assert accepted == kept == outcomes.keys(), "each accepted message has its row and an outcome, and nothing else has"
    internal = await web.pool.fetch("SELECT reason FROM leadline.inbound_outcomes WHERE reason LIKE 'internal error%'")
    assert not internal, "no message is quarantined for a fault of ours"
    assert not await web.pool.fetchval("SELECT count(*) FROM leadline.parked")

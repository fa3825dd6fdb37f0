"""R4: Custom Audiences of Meta, against a server that speaks the Marketing API strictly."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from services.delivery.port import Done, Later, Refused
from tests.integration.delivery.audiences.audience_case import change, facebook, people, sha256
from tests.integration.delivery.audiences.meta_service import MetaService

CREATE = r"/v25\.0/act_1234567890/customaudiences"
USERS = r"/v25\.0/\d+/users"


def rows(*numbers: int) -> set[tuple[str, ...]]:
    return {(sha256(f"person.{n}@example.org"), sha256(f"7999{n:07d}")) for n in numbers}


async def test_R4_facebook_audience_is_created_once_and_contacts_go_in_and_out_hashed(
    meta_service: MetaService,
) -> None:
    adapter = facebook(meta_service.url)
    assert await adapter.carry_out(people("facebook", "add", range(3))) == [Done("8812345678901234567", 3)] * 3
    assert await adapter.carry_out(people("facebook", "add", [2, 3])) == [Done("8812345678901234567", 2)] * 2
    [number] = meta_service.named("Пробный урок")
    assert meta_service.audiences[number].members == rows(0, 1, 2, 3)
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("facebook", "remove", [1, 3])))
    assert meta_service.audiences[number].members == rows(0, 2)
    assert meta_service.count("POST", CREATE) == 1
    await adapter.close()


async def test_R4_facebook_contact_with_one_identifier_leaves_the_other_empty(meta_service: MetaService) -> None:
    adapter = facebook(meta_service.url)
    await adapter.carry_out(
        [change("facebook", "add", phone="+79990000001"), change("facebook", "add", email=" A@B.ru ")]
    )
    [number] = meta_service.named("Пробный урок")
    assert meta_service.audiences[number].members == {("", sha256("79990000001")), (sha256("a@b.ru"), "")}
    await adapter.close()


async def test_R4_facebook_takes_the_existing_audience_of_exactly_this_name_and_the_oldest(
    meta_service: MetaService,
) -> None:
    meta_service.page = 2
    for other in ("Пробный урок 2", "Все: Пробный урок", "Пробный урок зимой"):
        meta_service.have(other, created=1)
    meta_service.have("Пробный урок", subtype="LOOKALIKE", created=1)
    younger = meta_service.have("Пробный урок", created=300)
    older = meta_service.have("Пробный урок", created=200)
    adapter = facebook(meta_service.url)
    await adapter.carry_out(people("facebook", "add", [1]))
    assert (meta_service.audiences[older].members, meta_service.audiences[younger].members) == (rows(1), set())
    assert meta_service.count("POST", CREATE) == 0
    await adapter.close()


async def test_R4_facebook_lost_answer_to_the_creation_makes_no_second_audience(meta_service: MetaService) -> None:
    meta_service.lose_answer("POST", CREATE)
    adapter = facebook(meta_service.url)
    assert await adapter.carry_out(people("facebook", "add", [1])) == [Done("8812345678901234567", 1)]
    [number] = meta_service.named("Пробный урок")
    assert meta_service.audiences[number].members == rows(1)
    await adapter.close()


async def test_R4_facebook_two_processes_that_create_at_once_end_with_one_audience(meta_service: MetaService) -> None:
    rival: list[str] = []
    meta_service.first("POST", CREATE, lambda: rival.append(meta_service.have("Пробный урок", created=1)))
    adapter = facebook(meta_service.url)
    await adapter.carry_out(people("facebook", "add", [1]))
    assert meta_service.named("Пробный урок") == rival
    assert meta_service.audiences[rival[0]].members == rows(1)
    await adapter.close()


async def test_R4_facebook_calls_at_once_in_one_process_create_one_audience(meta_service: MetaService) -> None:
    adapter = facebook(meta_service.url)
    await asyncio.gather(*(adapter.carry_out(people("facebook", "add", [n])) for n in range(5)))
    [number] = meta_service.named("Пробный урок")
    assert meta_service.audiences[number].members == rows(*range(5))
    assert meta_service.count("POST", CREATE) == 1
    await adapter.close()


async def test_R4_facebook_lost_answer_of_a_change_is_done_again_without_harm(meta_service: MetaService) -> None:
    adapter = facebook(meta_service.url)
    await adapter.carry_out(people("facebook", "add", [1]))
    meta_service.lose_answer("POST", USERS)
    assert await adapter.carry_out(people("facebook", "add", [2])) == [Later("no_answer", whole_provider=True)]
    await adapter.carry_out(people("facebook", "add", [2]))
    [number] = meta_service.named("Пробный урок")
    assert meta_service.audiences[number].members == rows(1, 2)
    await adapter.close()


async def test_R4_facebook_removal_from_an_audience_that_is_not_there_creates_none(meta_service: MetaService) -> None:
    adapter = facebook(meta_service.url)
    assert await adapter.carry_out(people("facebook", "remove", [1])) == [Done()]
    assert meta_service.audiences == {}
    await adapter.close()


@pytest.mark.parametrize("code", [4, 17, 32, 613, 80003, 80004])
async def test_R4_facebook_limit_delays_the_whole_provider_by_what_the_header_says(
    meta_service: MetaService, code: int
) -> None:
    # «Rate Limits», «Business Use Case Rate Limits», «Headers»: minutes
    use = {"type": "custom_audience", "call_count": 100, "total_cputime": 1, "total_time": 1}
    usage = {"1": [use | {"estimated_time_to_regain_access": 7}], "2": [use | {"estimated_time_to_regain_access": 0}]}
    body = {"error": {"message": "(#80003) There have been too many calls", "type": "OAuthException", "code": code}}
    meta_service.answer_with("GET", CREATE, 400, body, {"X-Business-Use-Case-Usage": orjson.dumps(usage).decode()})
    adapter = facebook(meta_service.url)
    limit = Later(f"limit_reached: {code}", after=420.0, whole_provider=True)
    assert await adapter.carry_out(people("facebook", "add", [1, 2])) == [limit] * 2
    await adapter.close()


@pytest.mark.parametrize(
    "header", ["", "[]", '{"1": 2}', '{"1": [3]}', '{"1": [{"estimated_time_to_regain_access": "x"}]}', "{"]
)
async def test_R4_facebook_limit_without_a_readable_header_names_no_time(
    meta_service: MetaService, header: str
) -> None:
    meta_service.answer_with("GET", CREATE, 400, {"error": {"code": 17}}, {"X-Business-Use-Case-Usage": header})
    adapter = facebook(meta_service.url)
    assert await adapter.carry_out(people("facebook", "add", [1])) == [Later("limit_reached: 17", whole_provider=True)]
    await adapter.close()


async def test_R4_facebook_bad_token_holds_the_whole_provider(meta_service: MetaService) -> None:
    adapter = facebook(meta_service.url, token="expired")
    assert await adapter.carry_out(people("facebook", "add", [1])) == [Later("auth_refused: 190", whole_provider=True)]
    await adapter.close()


async def test_R4_facebook_blocked_audience_is_refused_and_a_passing_error_is_tried_again(
    meta_service: MetaService,
) -> None:
    meta_service.have("Пробный урок")
    adapter = facebook(meta_service.url)
    # «Custom Audience Users», «Flagged custom and lookalike audiences»
    meta_service.answer_with(
        "POST", USERS, 400, {"error": {"message": "Invalid", "code": 100, "error_subcode": 1713230}}
    )
    assert await adapter.carry_out(people("facebook", "add", [1])) == [Refused("service_refused: 100_1713230")]
    meta_service.answer_with("POST", USERS, 400, {"error": {"message": "try again", "code": 2, "is_transient": True}})
    assert await adapter.carry_out(people("facebook", "add", [1])) == [Later("service_unavailable: 2")]
    await adapter.close()


async def test_R4_facebook_audience_that_was_deleted_is_looked_for_anew(meta_service: MetaService) -> None:
    adapter = facebook(meta_service.url)
    await adapter.carry_out(people("facebook", "add", [1]))
    meta_service.audiences.clear()
    assert await adapter.carry_out(people("facebook", "add", [2])) == [Later("audience_gone", after=1.0)]
    assert await adapter.carry_out(people("facebook", "add", [2])) == [Done("8812345678901234567", 1)]
    [number] = meta_service.named("Пробный урок")
    assert meta_service.audiences[number].members == rows(2)
    await adapter.close()


async def test_R4_facebook_invalid_entries_are_refused_alone_as_far_as_they_are_named(
    meta_service: MetaService,
) -> None:
    meta_service.invalid = {sha256("79990000001")}
    adapter = facebook(meta_service.url)
    answers = await adapter.carry_out(people("facebook", "add", [0, 1, 2]))
    done = Done("8812345678901234567", 2)
    assert answers == [done, Refused("service_refused: invalid_entry"), done]
    assert await adapter.carry_out(people("facebook", "add", [1])) == [Refused("service_refused: invalid_entries")]
    await adapter.close()

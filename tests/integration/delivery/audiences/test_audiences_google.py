"""R4: Customer Match lists of Google Ads, against a server that speaks the Data Manager API strictly."""

from __future__ import annotations

import pytest

from services.delivery.port import Done, Later, Refused
from tests.integration.delivery.audiences.audience_case import change, google, people, sha256
from tests.integration.delivery.audiences.google_service import LISTS, GoogleService, reason

INGEST, REMOVE = "/v1/audienceMembers:ingest", "/v1/audienceMembers:remove"


def members(*numbers: int) -> set[frozenset[tuple[str, str]]]:
    return {
        frozenset({("emailAddress", sha256(f"person.{n}@example.org")), ("phoneNumber", sha256(f"+7999{n:07d}"))})
        for n in numbers
    }


async def test_R4_google_list_is_created_once_and_contacts_go_in_and_out_hashed(google_service: GoogleService) -> None:
    adapter = google(google_service.url)
    answers = await adapter.carry_out(people("google", "add", range(3)))
    assert all(isinstance(one, Done) and one.provider_id for one in answers)
    await adapter.carry_out(people("google", "add", [2, 3]))
    [number] = google_service.named("Пробный урок")
    assert google_service.lists[number].members == members(0, 1, 2, 3)
    await adapter.carry_out(people("google", "remove", [1, 3]))
    assert google_service.lists[number].members == members(0, 2)
    assert (google_service.count("POST", LISTS), google_service.tokens) == (1, 1)
    await adapter.close()


async def test_R4_google_gmail_address_goes_without_dots_and_plus(google_service: GoogleService) -> None:
    adapter = google(google_service.url)
    await adapter.carry_out([change("google", "add", email="Cloudy.SanFrancisco+shopping@GMail.com")])
    [number] = google_service.named("Пробный урок")
    # the example of «Format user data»
    assert google_service.lists[number].members == {
        frozenset({("emailAddress", sha256("cloudysanfrancisco@gmail.com"))})
    }
    await adapter.close()


async def test_R4_google_matched_is_the_largest_count_of_members_the_list_shows(google_service: GoogleService) -> None:
    sizes = {"displayNetworkMembersCount": "1200", "searchNetworkMembersCount": "1500", "youtubeMembersCount": "900"}
    google_service.have("Пробный урок", sizes=sizes)
    adapter = google(google_service.url)
    [answer] = await adapter.carry_out(people("google", "add", [1]))
    assert isinstance(answer, Done)
    assert answer.matched == 1500
    await adapter.close()


@pytest.mark.parametrize("name", ['Курс "А"', "назад\\слэш", '\\"', "a AND b"])
async def test_R4_google_any_name_finds_its_own_list(google_service: GoogleService, name: str) -> None:
    adapter = google(google_service.url)
    for n in (1, 2):
        await adapter.carry_out(people("google", "add", [n], audience=name))
    assert len(google_service.named(name)) == 1
    await adapter.close()


async def test_R4_google_lost_answer_to_the_creation_makes_no_second_list(google_service: GoogleService) -> None:
    google_service.lose_answer("POST", LISTS)
    adapter = google(google_service.url)
    assert isinstance((await adapter.carry_out(people("google", "add", [1])))[0], Done)
    [number] = google_service.named("Пробный урок")
    assert google_service.lists[number].members == members(1)
    await adapter.close()


async def test_R4_google_two_processes_that_create_at_once_end_with_one_list(google_service: GoogleService) -> None:
    google_service.first("POST", LISTS, lambda: google_service.have("Пробный урок"))
    adapter = google(google_service.url)
    assert isinstance((await adapter.carry_out(people("google", "add", [1])))[0], Done)
    [number] = google_service.named("Пробный урок")
    assert google_service.lists[number].members == members(1)
    await adapter.close()


async def test_R4_google_removal_from_a_list_that_is_not_there_creates_none(google_service: GoogleService) -> None:
    adapter = google(google_service.url)
    assert await adapter.carry_out(people("google", "remove", [1])) == [Done()]
    assert google_service.lists == {}
    await adapter.close()


async def test_R4_google_name_of_another_kind_of_list_is_refused(google_service: GoogleService) -> None:
    google_service.have("Пробный урок", contacts=False)
    adapter = google(google_service.url)
    answers = await adapter.carry_out(people("google", "add", [1]))
    assert answers == [Refused("service_refused: audience_takes_no_contacts")]
    await adapter.close()


@pytest.mark.parametrize("tells_all", [True, False])
async def test_R4_google_bad_records_are_refused_alone_and_the_rest_is_sent_again(
    google_service: GoogleService, tells_all: bool
) -> None:
    google_service.tells_all = tells_all
    google_service.bad = {sha256("+79990000001"), sha256("person.3@example.org")}
    adapter = google(google_service.url)
    answers = await adapter.carry_out(people("google", "add", range(5)))
    bad = Refused("service_refused: invalid_record")
    assert [one if one == bad else type(one) for one in answers] == [Done, bad, Done, bad, Done]
    [number] = google_service.named("Пробный урок")
    assert google_service.lists[number].members == members(0, 2, 4)
    assert await adapter.carry_out(people("google", "add", [1])) == [bad]
    await adapter.close()


async def test_R4_google_consent_is_said_only_when_the_settings_say_so(google_service: GoogleService) -> None:
    for consent in (False, True):
        adapter = google(google_service.url, consent=consent)
        await adapter.carry_out(people("google", "add", [1]))
        await adapter.close()
    assert google_service.consents == [None, {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}]


async def test_R4_google_limit_delays_the_whole_provider(google_service: GoogleService) -> None:
    google_service.have("Пробный урок")
    adapter = google(google_service.url)
    # «Limits and quotas»: RESOURCE_EXHAUSTED, 429
    error = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded"}
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "23.5s"}
    for details, headers, after in (([retry], {}, 23.5), ([], {"Retry-After": "90"}, 90.0), ([], {}, 60.0)):
        google_service.answer_with("POST", INGEST, 429, {"error": error | {"details": details}}, headers)
        limit = Later("limit_reached: RESOURCE_EXHAUSTED", after=after, whole_provider=True)
        assert await adapter.carry_out(people("google", "add", [1])) == [limit]
    await adapter.close()


async def test_R4_google_refused_refresh_token_holds_the_whole_provider(google_service: GoogleService) -> None:
    adapter = google(google_service.url, token="revoked")
    assert await adapter.carry_out(people("google", "add", [1])) == [
        Later("auth_refused: invalid_grant", whole_provider=True)
    ]
    await adapter.close()


async def test_R4_google_access_token_that_went_void_is_made_anew_within_the_call(
    google_service: GoogleService,
) -> None:
    adapter = google(google_service.url)
    await adapter.carry_out(people("google", "add", [1]))
    google_service.tokens += 1  # another process
    assert isinstance((await adapter.carry_out(people("google", "add", [2])))[0], Done)
    assert google_service.count("POST", "/token") == 2
    google_service.answer_with("GET", LISTS, 401, {"error": {"status": "UNAUTHENTICATED"}})
    google_service.answer_with("GET", LISTS, 401, {"error": {"status": "UNAUTHENTICATED"}})
    assert await adapter.carry_out(people("google", "add", [3])) == [Later("auth_refused", whole_provider=True)]
    await adapter.close()


@pytest.mark.parametrize("word", ["TERMS_AND_CONDITIONS_NOT_SIGNED", "NOT_ALLOWLISTED", "PERMISSION_DENIED"])
async def test_R4_google_account_that_may_not_waits_for_a_person(google_service: GoogleService, word: str) -> None:
    google_service.have("Пробный урок")
    body = {"error": {"code": 403, "status": "PERMISSION_DENIED", "details": [reason(word)]}}
    google_service.answer_with("POST", INGEST, 403, body)
    adapter = google(google_service.url)
    assert await adapter.carry_out(people("google", "add", [1])) == [
        Later(f"auth_refused: {word}", whole_provider=True)
    ]
    await adapter.close()


async def test_R4_google_list_that_was_deleted_is_looked_for_anew(google_service: GoogleService) -> None:
    adapter = google(google_service.url)
    await adapter.carry_out(people("google", "add", [1]))
    google_service.first("POST", INGEST, google_service.lists.clear)
    assert await adapter.carry_out(people("google", "add", [2])) == [Later("audience_gone", after=1.0)]
    assert isinstance((await adapter.carry_out(people("google", "add", [2])))[0], Done)
    [number] = google_service.named("Пробный урок")
    assert google_service.lists[number].members == members(2)
    await adapter.close()

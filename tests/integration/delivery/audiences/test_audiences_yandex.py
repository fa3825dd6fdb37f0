"""R4: segments of Yandex Audience, against a server that speaks its API strictly."""

from __future__ import annotations

from services.delivery.audiences import waits_for_more
from services.delivery.port import Done, Later
from tests.integration.delivery.audiences.audience_case import change, people, sha256, yandex
from tests.integration.delivery.audiences.yandex_service import YandexService

UPLOAD = "/v1/management/segments/upload_csv_file"
CONFIRM = r"/v1/management/segment/\d+/confirm"
MODIFY = r"/v1/management/segment/\d+/modify_data"


def rows(*numbers: int) -> set[str]:
    return {f"{sha256(f'person.{n}@example.org')}," for n in numbers} | {f",{sha256(f'7999{n:07d}')}" for n in numbers}


async def test_R4_yandex_segment_is_created_once_and_contacts_go_in_and_out_hashed(
    yandex_service: YandexService,
) -> None:
    adapter = yandex(yandex_service.url)
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("yandex", "add", range(3))))
    [number] = yandex_service.named("Пробный урок")
    yandex_service.process()
    assert await adapter.carry_out(people("yandex", "add", [2, 3])) == [Done(str(number), 3)] * 2
    assert yandex_service.segments[number].rows == rows(0, 1, 2, 3)
    yandex_service.process()
    await adapter.carry_out(people("yandex", "remove", [1, 3]))
    assert yandex_service.segments[number].rows == rows(0, 2)
    assert yandex_service.count("POST", UPLOAD) == 1
    await adapter.close()


async def test_R4_yandex_contact_put_in_by_both_is_taken_out_by_one(yandex_service: YandexService) -> None:
    adapter = yandex(yandex_service.url)
    await adapter.carry_out(people("yandex", "add", [1]))
    yandex_service.process()
    await adapter.carry_out([change("yandex", "remove", phone="+79990000001")])
    [number] = yandex_service.named("Пробный урок")
    assert yandex_service.segments[number].rows == {f"{sha256('person.1@example.org')},"}
    await adapter.close()


async def test_R4_yandex_segment_at_work_takes_nothing_and_the_change_waits(yandex_service: YandexService) -> None:
    adapter = yandex(yandex_service.url)
    await adapter.carry_out(people("yandex", "add", [1]))
    busy = Later("audience_busy: is_processed", after=900.0)
    assert await adapter.carry_out(people("yandex", "add", [2, 3])) == [busy] * 2
    yandex_service.process()
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("yandex", "add", [2, 3])))
    await adapter.close()


async def test_R4_yandex_contacts_wait_where_a_short_file_is_refused_and_go_once_enough_are_together(
    yandex_service: YandexService,
) -> None:
    yandex_service.short_files = False
    adapter = yandex(yandex_service.url)
    answers = await adapter.carry_out(people("yandex", "add", range(20)))
    assert answers == [Later("audience_too_small: 40 of 100", after=3600.0)] * 20
    assert all(waits_for_more(one) for one in answers)
    assert yandex_service.segments == {}
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("yandex", "add", range(50))))
    [number] = yandex_service.named("Пробный урок")
    assert yandex_service.segments[number].rows == rows(*range(50))
    await adapter.close()


async def test_R4_yandex_takes_the_oldest_segment_of_exactly_this_name_made_of_contacts(
    yandex_service: YandexService,
) -> None:
    for n in range(1_001):
        yandex_service.have(f"Пробный урок {n}")
    yandex_service.have("Пробный урок", type="lookalike", created="2020-01-01T00:00:00Z")
    younger = yandex_service.have("Пробный урок", created="2026-02-01T00:00:00Z")
    older = yandex_service.have("Пробный урок", created="2025-02-01T00:00:00Z")
    adapter = yandex(yandex_service.url)
    await adapter.carry_out(people("yandex", "add", [1]))
    assert (yandex_service.segments[older].rows, yandex_service.segments[younger].rows) == (rows(1), set())
    assert yandex_service.count("POST", UPLOAD) == 0
    await adapter.close()


async def test_R4_yandex_lost_answer_to_the_saving_makes_no_second_segment(yandex_service: YandexService) -> None:
    yandex_service.lose_answer("POST", CONFIRM)
    adapter = yandex(yandex_service.url)
    assert isinstance((await adapter.carry_out(people("yandex", "add", [1])))[0], Done)
    [number] = yandex_service.named("Пробный урок")
    assert yandex_service.segments[number].rows == rows(1)
    await adapter.close()


async def test_R4_yandex_lost_answer_to_the_upload_leaves_nothing_under_the_name(yandex_service: YandexService) -> None:
    yandex_service.lose_answer("POST", UPLOAD)
    adapter = yandex(yandex_service.url)
    assert await adapter.carry_out(people("yandex", "add", [1])) == [Later("no_answer", whole_provider=True)]
    assert isinstance((await adapter.carry_out(people("yandex", "add", [1])))[0], Done)
    assert len(yandex_service.named("Пробный урок")) == 1
    await adapter.close()


async def test_R4_yandex_two_processes_that_create_at_once_end_with_one_segment(yandex_service: YandexService) -> None:
    rival: list[int] = []

    def other_process() -> None:
        rival.append(yandex_service.have("Пробный урок", created="2025-12-31T00:00:00Z"))

    yandex_service.first("POST", CONFIRM, other_process)
    adapter = yandex(yandex_service.url)
    assert isinstance((await adapter.carry_out(people("yandex", "add", [1])))[0], Done)
    assert yandex_service.named("Пробный урок") == rival
    assert yandex_service.segments[rival[0]].rows == rows(1)
    await adapter.close()


async def test_R4_yandex_removal_from_a_segment_that_is_not_there_creates_none(yandex_service: YandexService) -> None:
    adapter = yandex(yandex_service.url)
    assert await adapter.carry_out(people("yandex", "remove", [1])) == [Done()]
    assert yandex_service.segments == {}
    await adapter.close()


async def test_R4_yandex_limit_delays_the_whole_provider(yandex_service: YandexService) -> None:
    adapter = yandex(yandex_service.url)
    # «Quotas», «Exceeding quotas»: 429; that of the day is over at midnight in Moscow
    noon = {"Date": "Thu, 26 Nov 2026 09:00:00 GMT"}
    for kind, headers, after in (
        ("quota", {}, 60.0),
        ("quota", {"Retry-After": "5"}, 5.0),
        ("quota_requests_by_user_login", noon, 12 * 3600.0),
    ):
        body = {"errors": [{"error_type": kind, "message": "…"}], "code": 429, "message": "…"}
        yandex_service.answer_with("GET", "/v1/management/segments", 429, body, headers)
        limit = Later(f"limit_reached: {kind}", after=after, whole_provider=True)
        assert await adapter.carry_out(people("yandex", "add", [1])) == [limit]
    await adapter.close()


async def test_R4_yandex_bad_token_holds_the_whole_provider(yandex_service: YandexService) -> None:
    adapter = yandex(yandex_service.url, token="revoked")
    assert await adapter.carry_out(people("yandex", "add", [1])) == [
        Later("auth_refused: unauthorized", whole_provider=True)
    ]
    await adapter.close()


async def test_R4_yandex_segment_that_was_deleted_meanwhile_is_looked_for_anew(yandex_service: YandexService) -> None:
    yandex_service.have("Пробный урок")
    yandex_service.first("POST", MODIFY, yandex_service.segments.clear)
    adapter = yandex(yandex_service.url)
    assert await adapter.carry_out(people("yandex", "add", [1])) == [Later("audience_gone", after=1.0)]
    assert isinstance((await adapter.carry_out(people("yandex", "add", [1])))[0], Done)
    await adapter.close()

"""R4: users lists of VK Ads, against a server that speaks its API strictly."""

from __future__ import annotations

import pytest

from services.delivery.audiences import waits_for_more
from services.delivery.port import Done, Later, Refused
from tests.integration.delivery.audiences.audience_case import change, md5, people, vk
from tests.integration.delivery.audiences.vk_service import LISTS, VkService


def phones(*numbers: int) -> set[str]:
    return {md5(f"7999{n:07d}") for n in numbers}


async def test_R4_vk_contacts_wait_until_a_new_list_has_2000_and_a_change_25(vk_service: VkService) -> None:
    adapter = vk(vk_service.url)
    short = await adapter.carry_out(people("vk", "add", range(1_999)))
    assert set(short) == {Later("audience_too_small: 1999 of 2000", after=3600.0)}
    assert all(waits_for_more(one) for one in short)
    assert vk_service.lists == {}
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("vk", "add", range(2_000))))
    [number] = vk_service.named("Пробный урок", "phones")
    assert vk_service.lists[number].lines == phones(*range(2_000))
    few = await adapter.carry_out(people("vk", "add", range(3_000, 3_024)))
    assert few == [Later("audience_too_small: 24 of 25", after=3600.0)] * 24
    vk_service.lists[number].matched = 1_700
    enough = await adapter.carry_out(people("vk", "add", range(3_000, 3_025)))
    assert {one.matched for one in enough if isinstance(one, Done)} == {1_700}
    assert vk_service.lists[number].lines == phones(*range(2_000), *range(3_000, 3_025))
    assert len(vk_service.named("Пробный урок", "phones")) == 1
    await adapter.close()


async def test_C7_vk_a_single_removal_does_not_wait_and_takes_out_nobody_else(vk_service: VkService) -> None:
    by_phone = vk_service.have("Пробный урок", "phones", lines=phones(1, 2))
    by_email = vk_service.have(
        "Пробный урок", "emails", lines={md5("person.1@example.org"), md5("person.7@example.org")}
    )
    adapter = vk(vk_service.url)
    assert isinstance((await adapter.carry_out(people("vk", "remove", [1])))[0], Done)
    assert vk_service.lists[by_phone].lines == phones(2)
    assert vk_service.lists[by_email].lines == {md5("person.7@example.org")}
    [taken] = vk_service.lists[by_phone].taken_out
    assert len(taken) == 25
    await adapter.close()


async def test_C7_vk_removals_wait_for_25_when_the_settings_forbid_filling(vk_service: VkService) -> None:
    vk_service.have("Пробный урок", "phones", lines=phones(*range(30)))
    adapter = vk(vk_service.url, fill_removals=False)
    assert await adapter.carry_out(people("vk", "remove", [1])) == [Later("audience_too_small: 1 of 25", after=3600.0)]
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("vk", "remove", range(25))))
    await adapter.close()


async def test_R4_vk_who_has_no_phone_goes_by_e_mail_into_a_list_of_the_same_name(vk_service: VkService) -> None:
    by_phone = vk_service.have("Пробный урок", "phones")
    by_email = vk_service.have("Пробный урок", "emails")
    adapter = vk(vk_service.url)
    some = [change("vk", "add", email=f"Mail{n}@Example.org") for n in range(25)]
    answers = await adapter.carry_out([*people("vk", "add", range(25)), *some])
    assert all(isinstance(one, Done) for one in answers)
    assert vk_service.lists[by_phone].lines == phones(*range(25))
    assert vk_service.lists[by_email].lines == {md5(f"mail{n}@example.org") for n in range(25)}
    await adapter.close()


async def test_R4_vk_takes_the_oldest_list_of_exactly_this_name_that_is_no_change_of_another(
    vk_service: VkService,
) -> None:
    for n in range(60):
        vk_service.have(f"Пробный урок {n}", "phones")
    vk_service.have("Пробный урок", "phones", base=2_500_001)
    vk_service.have("Пробный урок", "phones", status="pending_delete")
    vk_service.have("Пробный урок", "vk")
    older, younger = vk_service.have("Пробный урок", "phones"), vk_service.have("Пробный урок", "phones")
    adapter = vk(vk_service.url)
    await adapter.carry_out(people("vk", "add", range(25)))
    assert (len(vk_service.lists[older].lines), len(vk_service.lists[younger].lines)) == (25, 0)
    await adapter.close()


async def test_R4_vk_list_that_is_known_is_not_looked_for_again_unless_it_was_deleted_or_renamed(
    vk_service: VkService,
) -> None:
    first = vk_service.have("Пробный урок", "phones")
    adapter = vk(vk_service.url)
    for _ in range(2):
        await adapter.carry_out(people("vk", "add", range(25)))
    assert vk_service.count("GET", LISTS) == 1
    second = vk_service.have("Пробный урок", "phones")
    vk_service.lists[first].name = "Старый"
    await adapter.carry_out(people("vk", "add", range(25)))
    assert vk_service.lists[second].lines == phones(*range(25))
    third = vk_service.have("Пробный урок", "phones")
    del vk_service.lists[second]
    await adapter.carry_out(people("vk", "add", range(25)))
    assert vk_service.lists[third].lines == phones(*range(25))
    await adapter.close()


async def test_R4_vk_lost_answer_to_the_creation_makes_no_second_list(vk_service: VkService) -> None:
    vk_service.lose_answer("POST", LISTS)
    adapter = vk(vk_service.url)
    assert set(await adapter.carry_out(people("vk", "add", range(2_000)))) == {Later("no_answer", whole_provider=True)}
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("vk", "add", range(2_000))))
    [number] = vk_service.named("Пробный урок", "phones")
    assert vk_service.lists[number].lines == phones(*range(2_000))
    await adapter.close()


async def test_R4_vk_two_processes_that_create_at_once_end_with_one_list(vk_service: VkService) -> None:
    rival: list[int] = []
    vk_service.first("POST", LISTS, lambda: rival.append(vk_service.have("Пробный урок", "phones")))
    adapter = vk(vk_service.url)
    assert all(isinstance(one, Done) for one in await adapter.carry_out(people("vk", "add", range(2_000))))
    assert vk_service.named("Пробный урок", "phones") == rival
    assert vk_service.lists[rival[0]].lines == phones(*range(2_000))
    await adapter.close()


@pytest.mark.parametrize("refuses_bad", [False, True])
async def test_R4_vk_bad_lines_are_refused_alone(vk_service: VkService, refuses_bad: bool) -> None:
    number = vk_service.have("Пробный урок", "phones")
    vk_service.bad, vk_service.refuses_bad = phones(3, 5), refuses_bad
    adapter = vk(vk_service.url)
    answers = await adapter.carry_out(people("vk", "add", range(30)))
    refused = Refused("service_refused: invalid_line")
    assert [n for n, one in enumerate(answers) if one == refused] == [3, 5]
    assert all(isinstance(one, Done) for n, one in enumerate(answers) if n not in {3, 5})
    assert vk_service.lists[number].lines == phones(*(set(range(30)) - {3, 5}))
    await adapter.close()


async def test_R4_vk_too_few_good_lines_wait_and_the_bad_are_refused(vk_service: VkService) -> None:
    vk_service.have("Пробный урок", "phones")
    vk_service.bad, vk_service.refuses_bad = phones(0), True
    adapter = vk(vk_service.url)
    answers = await adapter.carry_out(people("vk", "add", range(25)))
    assert answers == [
        Refused("service_refused: invalid_line"),
        *[Later("audience_too_small: 24 of 25", after=3600.0)] * 24,
    ]
    await adapter.close()


async def test_R4_vk_one_person_several_times_is_one_line(vk_service: VkService) -> None:
    number = vk_service.have("Пробный урок", "phones")
    adapter = vk(vk_service.url)
    answers = await adapter.carry_out([*people("vk", "add", range(25)), *people("vk", "add", range(3))])
    assert len(answers) == 28
    assert all(isinstance(one, Done) for one in answers)
    assert vk_service.lists[number].lines == phones(*range(25))
    await adapter.close()


@pytest.mark.parametrize(
    ("remaining", "after"),
    [
        ({"X-RateLimit-RPS-Remaining": "0", "X-RateLimit-Hourly-Remaining": "9"}, 1.0),
        ({"X-RateLimit-Hourly-Remaining": "0"}, 15 * 60.0),
        ({"X-RateLimit-Daily-Remaining": "0", "X-RateLimit-Hourly-Remaining": "0"}, 9 * 3600 + 15 * 60.0),
        ({"Retry-After": "17"}, 17.0),
        ({}, None),
    ],
)
async def test_R4_vk_limit_delays_the_whole_provider_to_the_end_of_its_calendar_period(
    vk_service: VkService, remaining: dict[str, str], after: float | None
) -> None:
    # «API architecture», «Limits»: per second, hour and day, bound to the calendar; 11:45 GMT is 14:45 in Moscow
    vk_service.answer_with(
        "GET", LISTS, 429, {"error": {"code": "too_many"}}, {"Date": "Thu, 26 Nov 2026 11:45:00 GMT"} | remaining
    )
    adapter = vk(vk_service.url)
    assert await adapter.carry_out([change("vk", "add", phone="+79990000001")]) == [
        Later("limit_reached", after=after, whole_provider=True)
    ]
    await adapter.close()


async def test_R4_vk_refused_client_holds_the_whole_provider(vk_service: VkService) -> None:
    adapter = vk(vk_service.url, token="revoked")
    assert await adapter.carry_out(people("vk", "add", [1])) == [
        Later("auth_refused: invalid_client", whole_provider=True)
    ]
    await adapter.close()


async def test_R4_vk_two_processes_that_void_each_others_tokens_both_go_on(vk_service: VkService) -> None:
    vk_service.have("Пробный урок", "phones")
    one, other = vk(vk_service.url), vk(vk_service.url)
    for adapter in (one, other, one, other):
        assert isinstance((await adapter.carry_out(people("vk", "remove", [1])))[0], Done)
    await one.close()
    await other.close()


async def test_R4_vk_removal_from_a_list_that_is_not_there_creates_none(vk_service: VkService) -> None:
    adapter = vk(vk_service.url)
    assert await adapter.carry_out(people("vk", "remove", [1])) == [Done()]
    assert vk_service.lists == {}
    await adapter.close()

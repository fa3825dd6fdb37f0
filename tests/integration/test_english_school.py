"""C6, seed 003: the English school runs by itself, from the form to the ad audiences, on the real system.

The seller's only acts are the call and what is typed in it.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

from tests.chaos.system import until
from tests.integration.school_case import AUDIENCE, LIMIT, SELLER, START, Pupil, School, school_at_work

THANKS = "Спасибо, мы получили вашу заявку на бесплатное занятие. Наш специалист перезвонит вам в течение одного рабочего часа"
VK_LEAST = 25
"""Contacts that VK takes at the least into a list that is there (tests/integration/delivery/audiences/vk_service.py)."""


async def call_of(pupil: Pupil) -> Any:
    """The call that the robot planned for the lead, or None."""
    planned = [each for each in (await pupil.shown())["activities"] if each["kind"] == "call"]
    return planned[0] if planned else None


async def test_C6_the_english_school_runs_by_itself_from_the_form_to_the_ad_audiences() -> None:
    async with school_at_work() as school:
        school.vk.have(AUDIENCE, "phones", lines={f"{n:032x}" for n in range(2_000)})
        first, second, refuser, unwritten = [await school.apply(n, email=n != 4) for n in (1, 2, 3, 4)]
        await the_letter_goes_and_the_call_stands(school, first)
        await without_an_address_the_call_stands_all_the_same(school, unwritten)
        await school.ask(
            SELLER,
            "POST",
            f"/api/leads/{refuser.lead}/commands/permit",
            {"channel": "ads", "allowed": False, "how": "call", "words": "без рекламы"},
        )

        # the call first, then what is typed; or the other way round
        await first.talk()
        assert (await first.shown())["stage"]["id"] in ("new", "arranging")
        await first.type_in()
        await second.type_in()
        assert (await second.shown())["stage"]["id"] == "new"
        await second.talk()
        await asyncio.gather(refuser.type_in(), refuser.talk())
        for pupil in (first, second, refuser):
            await pupil.is_pupil()
            await told_place_and_time(school, pupil)
        await only_the_call_and_what_was_typed(school, first, second)

        further = await with_the_mail_server_down_for_two_hours(school)
        class_mates = await asyncio.gather(*(school.apply(n) for n in range(10, 10 + VK_LEAST - 3)))
        await asyncio.gather(*(pupil.type_in() for pupil in class_mates))
        await asyncio.gather(*(pupil.talk() for pupil in class_mates))
        for pupil in class_mates:
            await pupil.is_pupil()

        await school.wait(START + timedelta(days=2, hours=11) - school.now)  # the lesson is over
        came = [first, second, further, *class_mates]
        assert len(came) == VK_LEAST
        for pupil in (*came, refuser):
            await pupil.lesson_missed()
        await in_both_audiences(school, came)
        await not_the_one_who_refused(school, refuser)

        status, out, err = await school.system.command("verify", "--json")
        assert status == 0, f"{out[-3000:]} {err[-1000:]}"
        checked = json.loads(out)
        print(f"\nverify: {checked}; {len(school.mail.letters)} letters, {len(school.sms.asked)} short messages")
        assert len(school.mail.letters) == 2 * (VK_LEAST + 1) + 1
        assert len({letter["Message-ID"] for letter in school.mail.letters}) == len(school.mail.letters)
        assert len(school.sms.asked) == len(school.short_messages()) == VK_LEAST + 1


async def the_letter_goes_and_the_call_stands(school: School, pupil: Pupil) -> None:
    """A responsible, the letter with the words of seed 003, the call due in the hour that it promises, both on the page."""

    async def came() -> bool:
        return bool(school.mail.to(pupil.email)) and await call_of(pupil) is not None

    await until("the letter is there and the call is planned", came, LIMIT)
    [letter] = school.mail.to(pupil.email)
    assert THANKS in " ".join(letter.split())
    shown = await pupil.shown()
    assert (shown["responsible"], shown["stage"]["id"]) == (SELLER, "new")
    call = await call_of(pupil)
    assert datetime.fromisoformat(call["due_at"]) == START + timedelta(hours=1)
    page = await school.page(SELLER, f"/leads/{pupil.lead}?lang=ru")
    activities = page[page.index('id="activities"') : page.index('id="robots"')]
    assert f'href="tel:{pupil.phone}">Позвонить</a>' in activities
    assert "Письмо «Спасибо за заявку»: принято" in activities


async def without_an_address_the_call_stands_all_the_same(school: School, pupil: Pupil) -> None:
    async def planned() -> Any:
        return await call_of(pupil)

    call = await until("the call is planned without a letter", planned, LIMIT)
    assert datetime.fromisoformat(call["due_at"]) == START + timedelta(hours=1)
    robots = {robot["robot"]: robot for robot in (await pupil.shown())["robots"]}
    assert (robots["thanks"]["outcome"], robots["call"]["outcome"]) == ("skipped", "ran")


async def told_place_and_time(school: School, pupil: Pupil) -> None:
    """SMS and second letter."""

    async def came() -> bool:
        return len(school.mail.to(pupil.email)) == 2 and pupil.phone in school.short_messages()

    await until(f"pupil {pupil.number} knows place and time", came, LIMIT)
    for text in (school.short_messages()[pupil.phone], school.mail.to(pupil.email)[1]):
        for part in ("18:30", f"Невский, 1, кабинет {pupil.number}"):
            assert part in text
    assert "подписаться" in school.mail.to(pupil.email)[1]


async def only_the_call_and_what_was_typed(school: School, *pupils: Pupil) -> None:
    """What persons did on these leads and deals."""
    for pupil in pupils:
        done = []
        for path in (f"/api/leads/{pupil.lead}/history", f"/api/deals/{pupil.deal}/history"):
            history = (await school.ask("head", "GET", path))["items"]
            done += [each["type"] for each in history if each["actor"]["kind"] == "person"]
        assert done == ["leadline.lead.card_recorded"], done


async def with_the_mail_server_down_for_two_hours(school: School) -> Pupil:
    """What hangs on a letter waits, short messages and tasks do not; then it all comes. The pupil who was won meanwhile."""
    won = await school.apply(5)

    async def thanked() -> bool:
        return bool(school.mail.to(won.email))

    await until("the last letter before", thanked, LIMIT)
    await school.mail.off()
    late, unwritten = await school.apply(6), await school.apply(7, email=False)
    await without_an_address_the_call_stands_all_the_same(school, unwritten)
    await asyncio.gather(won.type_in(), won.talk())
    await won.is_pupil()

    async def short_message() -> bool:
        return won.phone in school.short_messages()

    await until("the short message does not wait for the letter", short_message, LIMIT)

    async def tried() -> bool:
        effects = (await school.ask("head", "GET", "/api/effects?which=waiting&provider=email"))["items"]
        return {late.lead, won.deal} == {each["stream"] for each in effects} and any(e["attempts"] for e in effects)

    for _ in range(4):
        await until("both letters wait, and were tried", tried, LIMIT)
        await school.wait(timedelta(minutes=30))
    assert (school.mail.to(late.email), len(school.mail.to(won.email))) == ([], 1)
    assert await call_of(late) is None, "the call hangs on the letter"
    await school.mail.on()
    await school.wait(timedelta(minutes=20))

    async def letters() -> bool:
        return len(school.mail.to(late.email)) == 1 and len(school.mail.to(won.email)) == 2

    await until("the letters that waited come", letters, LIMIT)
    call = await until("and the call after its letter", lambda: call_of(late), LIMIT)
    [sent] = (await late.shown())["effects"]
    assert datetime.fromisoformat(sent["closed_at"]) == school.now
    assert datetime.fromisoformat(call["due_at"]) == school.now + timedelta(hours=1)
    return won


async def in_both_audiences(school: School, pupils: list[Pupil]) -> None:
    """VK takes no fewer than 25 at once, Yandex nothing while it processes: both are told by the services' own documents."""

    async def vk() -> bool:
        return all(pupil.in_vk for pupil in pupils)

    async def yandex() -> bool:
        school.yandex.process()
        if not all(pupil.in_yandex for pupil in pupils):
            await school.wait(timedelta(minutes=20))
        return all(pupil.in_yandex for pupil in pupils)

    await until("VK holds all of them", vk, LIMIT)
    await until("Yandex holds all of them", yandex, LIMIT, 0.5)
    [segment] = school.yandex.named(AUDIENCE)
    assert len(school.yandex.segments[segment].rows) == 2 * len(pupils)


async def not_the_one_who_refused(school: School, pupil: Pupil) -> None:
    """No audience changed for them, and it is told why."""

    async def decided() -> bool:
        return len([each for each in (await pupil.deal_shown())["robots"] if each["outcome"] == "skipped"]) == 2

    await until("both robots were skipped", decided, LIMIT)
    assert not pupil.in_vk
    assert not pupil.in_yandex
    status, out, err = await school.system.command("why", pupil.deal)
    assert status == 0, err
    assert "Реклама ВКонтакте" in out
    assert "Реклама в Яндексе" in out
    assert out.count("клиент просил не обращаться к нему так: реклама") == 2, out

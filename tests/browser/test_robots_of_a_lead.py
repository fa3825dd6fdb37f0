"""R6, C6, U: what happens by itself, seen in a browser: the robots of a lead and the automation of its pipeline."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.demo_case import WAIT_MS, Demo, browsing
from tests.browser.test_first_lead import sign_in

expect.set_options(timeout=WAIT_MS)

PIPELINE = """
pipeline: evening
titles: {ru: "Вечерняя школа", en: "Evening school"}
conversion_point: deal
fields:
  - {id: budget, titles: {ru: "Бюджет", en: "Budget"}, type: number, personal: false}
templates:
  - id: thanks
    titles: {ru: "Спасибо", en: "Thanks"}
    kind: email
    ru:
      subject: Спасибо за заявку
      text: Здравствуйте, {{ lead.name }}!
      html: <p>Здравствуйте, <b>{{ lead.name }}</b>!</p>
    en:
      subject: Thank you
      text: Hello {{ lead.name }}!
      html: <p>Hello <b>{{ lead.name }}</b>!</p>
stages:
  - id: new
    titles: {ru: "Новая", en: "New"}
    kind: open
    robots:
      - id: remind
        titles: {ru: "Напомнить", en: "Remind"}
        do: {email: thanks}
        start: {delay: {days: 3}}
        when: card.budget > 100
      - id: ring
        titles: {ru: "Перезвонить", en: "Call back"}
        do: {plan: call, text: {ru: "Звонок", en: "Call"}}
        start: {after: remind}
      - {id: mark, titles: {ru: "Отметить", en: "Mark"}, do: {tag: fresh}}
      - {id: old, titles: {ru: "Залежался", en: "Old"}, do: {tag: old}, start: {delay: {days: 9}}}
  - id: work
    titles: {ru: "В работе", en: "In work"}
    kind: open
    triggers: [{id: wrote, titles: {ru: "Написал", en: "Wrote"}, on: letter}]
  - {id: deal, titles: {ru: "Сделка", en: "Deal"}, kind: won}
  - {id: poor, titles: {ru: "Некачественный", en: "Poor"}, kind: lost}
  - {id: later, titles: {ru: "Отложен", en: "Later"}, kind: postponed}
"""
WORDS = {
    "ru-RU": {
        "mark": "Отметить",
        "ran": "изменены метки",
        "told": "Робот «Отметить» сработал: изменены метки",
        "cancel": "Отменить: Напомнить",
        "behind": "ждёт робота «Напомнить»",
        "cancelled": "отменил человек",
        "followed": "не сработал робот «Напомнить»",
        "call": "Позвонить",
        "add": "Поставить метку",
        "off": "Снять метку vip",
        "after": "через 3 дня после входа в стадию",
        "if": "«Бюджет» > 100",
        "trigger": "Пришло письмо клиента",
        "preview": "Показать, как выйдет",
        "hello": "Здравствуйте,",
        "subject": "Спасибо за заявку",
    },
    "en-GB": {
        "mark": "Mark",
        "ran": "tags were changed",
        "told": "The robot “Mark” ran: tags were changed",
        "cancel": "Cancel: Remind",
        "behind": "waits for the robot “Remind”",
        "cancelled": "a person cancelled it",
        "followed": "the robot “Remind” did not run",
        "call": "Call",
        "add": "Add the tag",
        "off": "Take off the tag vip",
        "after": "3 days after the stage is entered",
        "if": "“Budget” > 100",
        "trigger": "A letter of the client came",
        "preview": "Show how it comes out",
        "hello": "Hello",
        "subject": "Thank you",
    },
}


async def enter(page: Page, name: str, phone: str) -> str:
    """A lead of the pipeline, entered by hand; the path of its page."""
    await page.goto("/leads/new?pipeline=evening")
    await page.locator("[name=name]").fill(name)
    await page.locator("[name=phone]").fill(phone)
    await page.locator("main form button.main").click()
    await expect(page.locator("#robots")).to_be_visible()
    return page.url


async def until_it_ran(page: Page) -> None:
    """Look at the page again until the robots service has fired the robot."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not await page.locator("#robots li.ran").count():
        assert time.monotonic() < deadline, "no robot ran"
        await page.reload()


@pytest.mark.parametrize("language", sorted(WORDS))
async def test_R6_robots_are_seen_and_cancelled_and_a_template_is_shown(
    demo: Demo, tmp_path: Path, language: str
) -> None:
    words = WORDS[language]
    async with browsing(demo, language, tmp_path) as page:
        await sign_in(page, demo.token)
        published = await page.request.post(
            f"{demo.url}/api/pipelines", data={"text": PIPELINE}, headers={"Authorization": f"Bearer {demo.token}"}
        )
        assert published.ok, await published.text()
        phone = "+79005550011" if language == "ru-RU" else "+79005550012"
        lead = await enter(page, "Ирина <b>", phone)

        # a robot runs by itself, at once
        await until_it_ran(page)
        await expect(page.locator("#robots li.ran")).to_contain_text(words["ran"])
        await expect(page.locator("#tags li")).to_contain_text("fresh")
        await expect(page.locator(".timeline")).to_contain_text(words["told"])

        # what will happen and what waits for which
        armed, waiting = page.locator("#robots li.armed"), page.locator("#robots li.waiting")
        await expect(armed).to_have_count(2)
        await expect(waiting).to_contain_text(words["behind"])
        await expect(page.locator(f"a.call[href='tel:{phone}']").first).to_contain_text(words["call"])
        await page.screenshot(path=tmp_path / "robots.png", full_page=True)
        await page.get_by_role("button", name=words["cancel"]).click()
        await expect(armed).to_have_count(1)
        off = page.locator("#robots li.cancelled")
        await expect(off).to_contain_text(words["cancelled"])
        await expect(page.locator("#robots li.skipped")).to_contain_text(words["followed"])

        # a tag is put on and taken off again
        await page.locator("#tags [name=tag]:not([type=hidden])").fill("vip")
        await page.get_by_role("button", name=words["add"]).click()
        await page.get_by_role("button", name=words["off"]).click()
        await expect(page.locator("#tags li")).to_have_count(1)

        # the automation of the pipeline, and a letter as it comes out for this lead
        await page.goto("/pipelines/evening/automation")
        new = page.locator("section[data-stage=new]")
        await expect(new).to_contain_text(words["after"])
        await expect(new).to_contain_text(words["if"])
        await expect(new.locator(".robot", has_text=words["mark"]).locator(".counts .ran")).to_be_visible()
        await expect(page.locator("section[data-stage=work] .trigger")).to_contain_text(words["trigger"])
        await page.locator("#templates [name=lead]").fill(lead)
        await page.get_by_role("button", name=words["preview"]).click()
        await expect(page.locator("#templates dl.preview")).to_contain_text(words["subject"])
        letter = page.frame_locator("iframe.letter")
        await expect(letter.locator("p")).to_contain_text(words["hello"])
        await expect(letter.locator("b")).to_have_text("Ирина <b>")
        await page.screenshot(path=tmp_path / "automation.png", full_page=True)

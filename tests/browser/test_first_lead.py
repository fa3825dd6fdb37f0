"""A newcomer's first minutes: post a form, find the card, move the lead on, read what happened (spec U, S2, K6)."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.demo_case import WAIT_MS, Demo, browsing

expect.set_options(timeout=WAIT_MS)


async def post_form(page: Page, name: str, phone: str) -> None:
    await page.goto("/demo/form")
    await page.locator("[name=name]").fill(name)
    await page.locator("[name=phone]").fill(phone)
    await page.locator("[name=comment]").fill("Нужна столешница 2,4 м <script>alert(1)</script>")
    await page.locator("main form button.main").click()
    await expect(page.get_by_role("status")).to_be_visible()


async def sign_in(page: Page, token: str) -> None:
    await page.goto("/login")
    await page.locator("[name=token]").fill(token)
    await page.locator("main form button.main").click()
    await expect(page.locator("#board")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "ru-RU",
            {"new": "Новый", "next": "В обработке", "see": "Увидел", "accept": "Принять в работу", "refused": "увидел"},
        ),
        ("en-GB", {"new": "New", "next": "Processing", "see": "Seen", "accept": "Take into work", "refused": "seen"}),
    ],
)
async def test_U_a_form_becomes_a_card_that_is_moved_and_whose_history_is_read(
    demo: Demo, tmp_path: Path, language: str, texts: dict[str, str]
) -> None:
    name = f"Пётр Сидоров {language}"
    async with browsing(demo, language, tmp_path) as page:
        await post_form(page, name, "+7 900 123-45-67" if language == "ru-RU" else "+7 900 765-43-21")
        await sign_in(page, demo.token)
        card = page.locator("article.card", has=page.get_by_role("link", name=name))
        column = page.locator("section.column", has=card)
        await expect(column.locator("h2")).to_have_text(texts["new"])

        # too early: the page says what is missing, and nothing has moved
        await card.locator("summary").click()
        await card.locator("select").select_option("processing")
        await card.locator("form button").click()
        await expect(page.get_by_role("alert")).to_contain_text(texts["refused"], ignore_case=True)
        await page.locator("main").get_by_role("link", name=name).click()

        await page.get_by_role("button", name=texts["see"]).click()
        await page.get_by_role("button", name=texts["accept"]).click()
        await page.get_by_role("button", name=f"→ {texts['next']}").click()
        here = page.locator("ol.path [aria-current=step]")
        await expect(here).to_contain_text(texts["next"])
        history = page.locator("ol > li[id^=v]")
        await expect(history.first).to_be_visible()
        assert await history.count() >= 5, "captured, stage, assigned, seen, accepted, moved"

        await page.goto("/")
        await expect(column.locator("h2")).to_have_text(texts["next"])

"""N9, N10, N12: a seller fills in what is missing and moves in one step, a head overrides with a reason, a mistake is undone."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.demo_case import LEADLINE, WAIT_MS, Demo, browsing
from tests.browser.test_first_lead import sign_in

expect.set_options(timeout=WAIT_MS)

WORDS = {
    "ru-RU": {
        "new": "Новый лид",
        "add": "Завести лид",
        "processing": "В обработке",
        "proposal": "Предложение",
        "closing": "Дожатие",
        "fields": "Потребности клиента",
        "override": "Перевести вопреки правилам",
        "told": "Вопреки правилам, решением руководителя",
        "undo": "Отменить последний переход",
        "sure": "Да, отменить переход",
        "undone": "Переход отменён как ошибка",
    },
    "en-GB": {
        "new": "New lead",
        "add": "Add the lead",
        "processing": "Processing",
        "proposal": "Proposal",
        "closing": "Closing",
        "fields": "Client's needs",
        "override": "Move against the rules",
        "told": "Against the rules, by a head's decision",
        "undo": "Undo the last move",
        "sure": "Yes, undo the move",
        "undone": "The move was undone as a mistake",
    },
}


async def seller_of(demo: Demo, name: str) -> str:
    """A seller's token for the running demo."""
    made = await asyncio.create_subprocess_exec(
        str(LEADLINE),
        *("token", "--as", name, "--role", "seller", "--data", str(demo.data)),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(made.communicate(), 60)
    found = re.search(rb"ll_[A-Za-z0-9_\-]+", said)
    assert found, said
    return found[0].decode()


async def sign_out(page: Page) -> None:
    await page.locator("form[action='/logout'] button").click()
    await expect(page.locator("[name=token]")).to_be_visible()


@pytest.mark.parametrize("language", sorted(WORDS))
async def test_N9_seller_fills_in_and_moves_head_overrides_and_undoes(
    demo: Demo, tmp_path: Path, language: str
) -> None:
    words, name = WORDS[language], f"Ольга Морозова {language}"
    seller = await seller_of(demo, "anna")
    async with browsing(demo, language, tmp_path) as page:
        await sign_in(page, seller)
        await page.get_by_role("link", name=words["new"]).click()
        await page.locator("[name=name]").fill(name)
        await page.locator("[name=phone]").fill("+7 900 555-00-01" if language == "ru-RU" else "+7 900 555-00-02")
        await page.get_by_role("button", name=words["add"]).click()
        here = page.locator("ol.path [aria-current=step]")
        await expect(here).to_be_visible()
        lead = page.url

        # the card is dragged on the board; what is missing is asked for, and data and move go in one act
        await page.goto("/boards/classic")
        card = page.locator("article.card", has=page.get_by_role("link", name=name))
        await expect(card).to_have_attribute("draggable", "true")
        await card.drag_to(page.locator("section[data-stage=processing]"))
        await expect(page.get_by_role("alert")).to_be_visible()
        boxes = page.get_by_role("checkbox")
        assert await boxes.count() == 2, "seen and accepted, and nothing else"
        for box in await boxes.all():
            await box.check()
        await page.screenshot(path=tmp_path / "missing.png", full_page=True)
        await page.locator("form.fields button.main").click()
        await expect(page.locator("section.column", has=card)).to_have_attribute("data-stage", "processing")

        # from the lead's own page
        await page.goto(lead)
        await page.get_by_role("link", name=f"→ {words['proposal']}").click()
        await page.get_by_label(words["fields"]).fill("Столешница 2,4 м")
        await page.locator("form.fields button.main").click()
        await expect(here).to_contain_text(words["proposal"])

        # a seller has no way past the rules, a head has one, with a reason
        await page.goto(f"{lead}/move?to=closing")
        await expect(page.get_by_text(words["override"])).to_have_count(0)
        await sign_out(page)
        await sign_in(page, demo.token)
        await page.goto(f"{lead}/move?to=closing")
        await page.locator("summary", has_text=words["override"]).click()
        await page.locator("[name=override]").fill("Постоянный клиент")
        await page.get_by_role("button", name=words["override"]).click()
        await expect(here).to_contain_text(words["closing"])
        history = page.locator(".timeline")
        await expect(history).to_contain_text(words["told"])
        await expect(history).to_contain_text("Постоянный клиент")

        await page.locator("summary", has_text=words["undo"]).click()
        await page.get_by_role("button", name=words["sure"]).click()
        await expect(here).to_contain_text(words["proposal"])
        await expect(history).to_contain_text(words["undone"])
        await page.screenshot(path=tmp_path / "lead.png", full_page=True)

"""R3, C6: whoever starts the demo sees what its robots write: letters and short messages are files of the data folder."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx

from tests.browser.demo_case import Demo
from tests.chaos.system import until

LIMIT = 60.0


async def test_R3_the_demo_s_letters_and_short_messages_are_files_and_the_page_says_so(demo: Demo) -> None:
    folder = demo.data / "demo-mail"
    headers = {"Authorization": f"Bearer {demo.token}"}
    async with httpx.AsyncClient(base_url=demo.url, headers=headers, trust_env=False, timeout=20.0) as api:

        async def post(path: str, body: Any) -> Any:
            answer = await api.post(path, json=body)
            assert answer.status_code < 300, answer.text
            return answer.json()

        client = {"name": "Ольга", "phone": "+79005551122", "email": "olga@client.example"}
        lead = (await post("/api/leads", {"pipeline": "english", **client}))["lead"]
        [letter] = await until("the letter is a file", lambda: kept(folder, "olga@client.example", 1), LIMIT)
        assert "перезвонит вам в течение одного рабочего часа" in " ".join(letter.split())
        fields = {
            "name_check": "confirmed",
            "lesson_date": "2026-12-02",
            "lesson_time": "18:30",
            "lesson_place": "онлайн",
        }
        await post(f"/api/leads/{lead}/commands/record", {"fields": fields})
        await post(f"/api/leads/{lead}/commands/hold", {"kind": "call"})
        await until("the second letter", lambda: kept(folder, "olga@client.example", 2), LIMIT)

        async def short_messages() -> list[str]:
            return [each.read_text() for each in folder.glob("sms-*.txt")]

        [short] = await until("the short message is a file", short_messages, LIMIT)
        assert short.startswith("+79005551122\n")
        assert "18:30, онлайн" in short
        assert folder.stat().st_mode & 0o077 == 0
        refused = await httpx.AsyncClient(trust_env=False).post(
            f"{demo.url}/demo/sms", json={"id": lead, "to": "1", "text": "x", "sender": "x"}
        )
        assert refused.status_code == 401
    async with httpx.AsyncClient(base_url=demo.url, trust_env=False) as browser:
        await browser.post("/login", data={"token": demo.token})
        page = (await browser.get("/ops/effects?lang=ru")).text
    assert f"они лежат файлами в папке {folder}" in page


async def kept(folder: Path, to: str, count: int) -> list[str]:
    """The letters to an address, if there are so many."""
    found = letters(folder, to)
    return found if len(found) == count else []


def letters(folder: Path, to: str) -> list[str]:
    """Texts of the letters to an address."""
    found = [message_from_bytes(each.read_bytes(), policy=policy.SMTP) for each in sorted(folder.glob("*.eml"))]
    return [letter.get_content() for letter in found if to in letter["To"]]

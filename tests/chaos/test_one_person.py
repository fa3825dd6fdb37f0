"""C3, K5: one new person writes fifty times at once while the aggregate service is killed: fifty messages, one lead."""

from __future__ import annotations

import asyncio
import os
import signal

import httpx
import pytest

from tests.chaos.system import System, until

POSTS = 50
LIMIT = 60.0


@pytest.mark.chaos
async def test_C3_fifty_posts_of_one_new_person_with_a_kill_midway_are_one_lead() -> None:
    system = System()
    try:
        await system.up()
        token = await system.token("site", "adapter")
        async with httpx.AsyncClient(
            base_url=system.info["http"], headers={"Authorization": f"Bearer {token}"}, timeout=30
        ) as client:

            async def post(number: int) -> str:
                form = {"name": "Иван Петров", "phone": "8 900 123-45-67", "comment": f"вопрос {number}"}
                answer = await client.post("/inbound/forms/contact", json=form)
                assert answer.status_code == 202, answer.text
                inbound_id: str = answer.json()["inbound_id"]
                return inbound_id

            posts = [asyncio.create_task(post(number)) for number in range(POSTS)]
            await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
            os.kill(system.pid("leads"), signal.SIGKILL)
            accepted = await asyncio.gather(*posts)
        assert len(set(accepted)) == POSTS
        database = await system.connect()
        try:

            async def all_decided() -> bool:
                return bool(await database.fetchval("SELECT count(*) FROM leadline.inbound_outcomes") == POSTS)

            await until("every message has an outcome", all_decided, LIMIT)
            rows = await database.fetch(
                "SELECT outcome, count(*) AS n, count(DISTINCT lead) AS leads FROM leadline.inbound_outcomes GROUP BY 1"
            )
            assert {row["outcome"]: (row["n"], row["leads"]) for row in rows} == {
                "accepted": (1, 1),
                "joined": (POSTS - 1, 1),
            }
            captured = "SELECT count(*) FROM leadline.events WHERE topic = 'leadline.lead.captured'"
            assert await database.fetchval(captured) == 1
        finally:
            database.terminate()
        status, out, err = await system.command("verify", "--json")
        assert status == 0, out + err
    finally:
        system.close()

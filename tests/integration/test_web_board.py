"""K4, C3, U: from a posted form to a card on the board, over real Kafka and Postgres and all services."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from services.database import Pool
from services.health import Health
from services.privacy.store import KeyRing
from services.settings import Settings
from services.web.app import create_app
from tests.integration.tokens import make_token
from tests.integration.web_case import Forms, until, whole_system
from tests.integration.workshop_case import publish_workshop

pytestmark = pytest.mark.kafka


async def test_K4_a_posted_form_is_on_the_board_and_moves_there(settings: Settings, pool: Pool) -> None:
    async with whole_system(settings, pool) as made:
        app = create_app(made, pool, KeyRing(made.master_key_bytes), Health("door"))
        token = {"Authorization": f"Bearer {await make_token(pool, 'anna', 'seller')}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door") as client:
            for n in range(3):
                form = {
                    "name": f"Иван {n}",
                    "phone": f"8 900 123-45-6{n}",
                    "email": f"i{n}@example.org",
                    "source": "сайт",
                }
                assert (await client.post("/inbound/forms/site", data=form)).status_code == 202
            again = await client.post("/inbound/forms/site", json={"name": "Иван 0", "phone": "+79001234560"})
            assert again.status_code == 202

            async def board() -> Any:
                shown = (await client.get("/api/boards/classic", headers=token)).json()
                column = shown["columns"][0]
                return shown if column["count"] == 3 and len(column["cards"]) == 3 else None

            shown = await until(board, "three leads on the board")
            assert [c["stage"]["id"] for c in shown["columns"]][:2] == ["new", "processing"]
            card = next(c for c in shown["columns"][0]["cards"] if c["name"] == "Иван 0")
            assert (card["place"], card["places"], card["source"]) == (1, 5, "сайт")

            for query in ({"phone": "8 (900) 123-45-60"}, {"email": "I0@example.org"}):
                found = (await client.get("/api/leads", params=query, headers=token)).json()["items"]
                assert [c["lead"] for c in found] == [card["lead"]], query
            assert (await client.get("/api/leads", params={"phone": "abc"}, headers=token)).status_code == 422
            people = (await client.get("/api/people", params={"name": "иван"}, headers=token)).json()["items"]
            assert len(people) == 3

            lead = UUID(card["lead"])
            for name, body in (("see", None), ("accept", None), ("move", {"to": "processing"})):
                done = await client.post(f"/api/leads/{lead}/commands/{name}", json=body, headers=token)
                assert done.status_code == 200, done.text
            version = done.json()["version"]
            at_least = {"lead": str(lead), "at_least": version}
            shown = (await client.get("/api/boards/classic", params=at_least, headers=token)).json()
            assert [(c["count"], [x["lead"] for x in c["cards"]]) for c in shown["columns"][1:2]] == [(1, [str(lead)])]
            ahead = await client.get(f"/api/leads/{lead}", params={"at_least": version + 5}, headers=token)
            assert (ahead.status_code, ahead.json()["type"]) == (503, "urn:leadline:problem:stale")

            page = (await client.get("/api/boards/classic", params={"limit": 1}, headers=token)).json()["columns"][0]
            more = (await client.get(page["more"], headers=token)).json()
            assert {page["cards"][0]["lead"], more["items"][0]["lead"]} == {
                c["lead"] for c in shown["columns"][0]["cards"]
            }
            bad = await client.get("/api/boards/classic/stages/new", params={"after": "nonsense"}, headers=token)
            assert bad.status_code == 422
            assert (await client.get("/api/boards/none", headers=token)).status_code == 404

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door") as browser:
            await browser.post("/login", data={"token": token["Authorization"].removeprefix("Bearer ")})
            page = await browser.get("/boards/classic")
            assert page.text.count("<article") == 3
            other = next(c["lead"] for c in shown["columns"][0]["cards"])
            move = f"/leads/{other}/commands/move"
            refused = await browser.post(move, data={**Forms(page.text).to(move), "to": "processing"})
            assert refused.status_code == 422
            assert "S2.exit_criteria" in refused.text
            for name in ("see", "accept"):
                action = f"/leads/{other}/commands/{name}"
                await browser.post(action, data=Forms((await browser.get(f"/leads/{other}")).text).to(action))
            page = await browser.get("/boards/classic")
            moved = await browser.post(move, data={**Forms(page.text).to(move), "to": "processing"})
            assert moved.headers["location"].startswith("/boards/classic?lead=")
            page = await browser.get(moved.headers["location"])
            assert "moved" in page.text
            assert (await browser.get("/leads", params={"q": "+79001234560"})).text.count("/leads/" + str(lead)) == 1


async def test_S6_leads_sort_by_nearness_and_people_stand_beside_stages(settings: Settings, pool: Pool) -> None:
    async with whole_system(settings, pool) as made:
        await publish_workshop(pool)
        app = create_app(made, pool, KeyRing(made.master_key_bytes), Health("door"))
        tokens = {role: await make_token(pool, name, role) for name, role in (("anna", "seller"), ("helen", "head"))}
        seller, head = ({"Authorization": f"Bearer {tokens[role]}"} for role in ("seller", "head"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door") as client:
            leads: list[str] = []
            for n in range(5):
                body = {"pipeline": "workshop", "name": f"Иван {n}", "phone": f"+7900123450{n}"}
                answer = await client.post("/api/leads", json=body, headers=seller)
                assert answer.status_code == 201, answer.text
                leads.append(answer.json()["lead"])
            last = None
            for n, (name, body) in (
                (1, ("move", {"to": "agreement", "override": "x"})),
                (3, ("move", {"to": "measure", "override": "x"})),
                (4, ("reject", {"status": "poor", "reason": "later"})),
                (3, ("assign", {"to": "boris"})),
            ):
                last = await client.post(f"/api/leads/{leads[n]}/commands/{name}", json=body, headers=head)
                assert last.status_code == 200, last.text

            async def settled() -> Any:
                shown = (await client.get("/api/boards/workshop/people", headers=head)).json()
                rows = {row["responsible"]: row["counts"] for row in shown["people"]}
                return shown if shown["total"] == 5 and "boris" in str(rows) and shown["totals"].get("poor") else None

            shown = await until(settled, "five leads by people and stages")
            assert shown["totals"] == {"fresh": 2, "measure": 1, "agreement": 1, "deal": 0, "poor": 1, "waiting": 0}
            assert sum(row["total"] for row in shown["people"]) == 5
            boris = next(row for row in shown["people"] if row["responsible"] == "boris")
            assert boris["counts"] == {"measure": 1}
            assert (await client.get("/api/boards/workshop/people", headers=seller)).status_code == 403
            assert (await client.get("/api/boards/none/people", headers=head)).status_code == 404

            found: list[str] = []
            query: dict[str, Any] = {"pipeline": "workshop", "sort": "nearness", "limit": 2}
            while True:
                page = (await client.get("/api/leads", params=query, headers=seller)).json()
                found += [card["lead"] for card in page["items"]]
                if page["next"] is None:
                    break
                query["after"] = page["next"]
            expected = [leads[1], leads[3], leads[0], leads[2], leads[4]]
            assert found == expected, "nearest to the decision first, of equals whoever waits longest, outcomes last"
            bad = await client.get("/api/leads", params={"sort": "nearness", "after": "7"}, headers=seller)
            assert (bad.status_code, bad.json()["type"]) == (422, "urn:leadline:problem:after")
            mine = {"responsible": "boris", "sort": "nearness"}
            assert [
                c["lead"] for c in (await client.get("/api/leads", params=mine, headers=seller)).json()["items"]
            ] == [leads[3]]
            nobody = (await client.get("/api/leads", params={"nobody": "true"}, headers=seller)).json()["items"]
            assert len(nobody) == sum(row["total"] for row in shown["people"] if row["responsible"] is None)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door") as browser:
            await browser.post("/login", data={"token": tokens["head"]})
            page = await browser.get("/boards/workshop/people")
            assert page.status_code == 200
            link = "/leads?pipeline=workshop&amp;stage=measure&amp;responsible=boris&amp;sort=nearness"
            assert link in page.text
            listed = await browser.get(link.replace("&amp;", "&"))
            assert leads[3] in listed.text
            assert leads[0] not in listed.text
            board_page = await browser.get("/boards/workshop")
            assert "/boards/workshop/people" in board_page.text
            move = f"/leads/{leads[0]}/commands/move"
            asked = await browser.post(move, data={**Forms(board_page.text).to(move), "to": "measure"})
            assert asked.status_code == 422
            form = Forms(asked.text).to(move)
            assert (form["first-0-type"], form["first-1-type"], form["back"]) == ("see", "accept", "/boards/workshop")
            moved = await browser.post(move, data=form)
            assert moved.headers["location"].startswith("/boards/workshop?lead="), "back to the board, the card moved"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door") as browser:
            await browser.post("/login", data={"token": tokens["seller"]})
            board_page = await browser.get("/boards/workshop")
            assert "disabled>Согласование · через стадию" in board_page.text, (
                "what is closed to all is dimmed, with the reason"
            )

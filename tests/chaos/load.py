"""Load as clients make it: forms and commands over HTTP, each repeated under its key until answered; adapters on Kafka beside.

Invariants: a client never gives up in silence (`GAVE_UP` seconds raise); an answer that a good request should not get raises.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from tests.chaos.adapter import GAVE_UP, Adapter
from tests.chaos.ledger import Input, Ledger
from tests.chaos.system import START, ChaosError, System

FORM_CLIENTS, COMMAND_CLIENTS = 3, 2
COMMANDS = ("see", "accept", "see", "accept", "assign", "assign", "move", "reject", "reopen")
PACES = (0.05, 0.15, 0.15, 0.3)  # seconds between two requests of a client, drawn for each cycle
AGAIN = (408, 425, 429)
CLOCK_STEP = timedelta(minutes=5)
KNOWN_PERSON, UNREACHABLE, LOST_ANSWER = 0.4, 0.04, 0.2


class Load:
    """The clients. `begin`, then `end`, which returns when each client has its answers; any number of times."""

    def __init__(self, system: System, ledger: Ledger, chance: random.Random, adapter: str, head: str) -> None:
        """`adapter`, `head`: tokens of these roles."""
        self._system, self.ledger, self._chance = system, ledger, chance
        self._adapter, self._head = {"Authorization": f"Bearer {adapter}"}, {"Authorization": f"Bearer {head}"}
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(12.0, connect=2.0), trust_env=False)
        self._plain = Adapter(system, ledger, chance, None)
        self._transactional = Adapter(system, ledger, chance, f"chaos-{system.base.name}")
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._recent: list[str] = []
        self._unseen: dict[UUID, None] = {}
        self.cycle, self.pace, self.now = 0, PACES[1], datetime.fromisoformat(START)

    def begin(self, cycle: int) -> None:
        """Set the clients to work."""
        self.cycle, self.pace, self._stop = cycle, self._chance.choice(PACES), asyncio.Event()
        work = [
            *[self._form] * FORM_CLIENTS,
            self._pair,
            *[self._command] * COMMAND_CLIENTS,
            self._look,
            self._pass_time,
        ]
        self._tasks = [asyncio.create_task(self._repeat(each)) for each in work]
        for adapter in (self._plain, self._transactional):
            self._tasks.append(asyncio.create_task(adapter.run(self._stop, self.pace, cycle)))

    async def end(self) -> None:
        """Let every client finish what it has begun. Raises what a client met."""
        self._stop.set()
        try:
            async with asyncio.timeout(GAVE_UP + 60.0):
                await asyncio.gather(*self._tasks)
        finally:
            await self._cancel()

    def check(self) -> None:
        """Raise what a client met so far."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def close(self) -> None:
        """End the clients at once."""
        await self._cancel()
        await self._http.aclose()

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self._stop.is_set():
            await work()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._chance.uniform(0.5, 1.5) * self.pace)

    # --- forms ---------------------------------------------------------------------------------------------------

    async def _form(self) -> None:
        if self._recent and self._chance.random() < KNOWN_PERSON:
            person = self._chance.choice(self._recent)
        else:
            person = self.ledger.new_person()
            self._recent = [*self._recent[-400:], person]
        reachable = self._chance.random() >= UNREACHABLE
        await self.post(self.ledger.new_input(person, "http", self.cycle, reachable=reachable))

    async def _pair(self) -> None:
        """One new person through two doors at once, one of the forms twice at once under one key."""
        person = self.ledger.new_person()
        self._plain.hand_in(self.ledger.new_input(person, "kafka", self.cycle))
        form = self.ledger.new_input(person, "http", self.cycle)
        await asyncio.gather(self.post(form), self.post(form))

    async def burst(self, count: int) -> None:
        """That many concurrent posts of one new person."""
        person = self.ledger.new_person()
        inputs = [self.ledger.new_input(person, "http", self.cycle) for _ in range(count)]
        await asyncio.gather(*(self.post(each) for each in inputs))

    async def post(self, sent: Input) -> UUID:
        """Post a form until it is answered with 202; the message's id."""
        headers = {**self._adapter, "Idempotency-Key": sent.marker}
        answer = await self._until_answered("/inbound/forms/site", sent.body(), headers)
        if answer.status_code != 202:
            raise ChaosError(f"a good form was answered with {answer.status_code}: {answer.text[:300]}")
        inbound_id = UUID(answer.json()["inbound_id"])
        if sent.inbound_id not in (None, inbound_id):
            raise ChaosError(f"one Idempotency-Key, two messages: {sent.inbound_id} and {inbound_id}")
        sent.inbound_id, sent.accepted = inbound_id, True
        self._unseen[inbound_id] = None
        return inbound_id

    async def _until_answered(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        """POST until there is an answer that is not «try again»."""
        deadline, why = time.monotonic() + GAVE_UP, ""
        while time.monotonic() < deadline:
            self.ledger.tries += 1
            try:
                answer = await self._http.post(self._system.info["http"] + path, json=body, headers=headers)
            except httpx.TransportError as error:
                why = repr(error)
            else:
                if answer.status_code not in AGAIN and answer.status_code < 500:
                    return answer
                why = f"{answer.status_code} {answer.text[:200]}"
            await asyncio.sleep(self._chance.uniform(0.1, 0.4))
        raise ChaosError(f"no answer from {path} for {GAVE_UP:.0f} s, last: {why}")

    async def probe(self, limit: float) -> float:
        """From a form to its lead on the board, end to end: the seconds that took, repeats included."""
        began = time.monotonic()
        async with asyncio.timeout(limit):
            person = self.ledger.new_person()
            await self.post(self.ledger.new_input(person, "http", self.cycle))
            while True:
                with suppress(httpx.TransportError, ValueError, KeyError):
                    url = self._system.info["http"] + "/api/leads"
                    found = await self._http.get(url, params={"phone": person}, headers=self._head)
                    if found.json()["items"]:
                        return time.monotonic() - began
                await asyncio.sleep(0.05)

    # --- commands ------------------------------------------------------------------------------------------------

    async def _command(self) -> None:
        if not self.ledger.leads:
            return
        lead = self._chance.choice(list(self.ledger.leads)[-300:])
        sent = self.ledger.new_command(lead, self._chance.choice(COMMANDS), "http")
        path, headers = f"/api/leads/{lead}/commands/{sent.name}", {**self._head, "Idempotency-Key": str(sent.id)}
        answers = [await self._until_answered(path, sent.arguments(), headers)]
        if self._chance.random() < LOST_ANSWER:
            answers.append(await self._until_answered(path, sent.arguments(), headers))
        sent.status, sent.answer, sent.accepted = answers[0].status_code, answers[0].json(), True
        known = sent.status == 200 or "rules" in sent.answer
        if not known or any(a.status_code != sent.status or a.json() != sent.answer for a in answers):
            raise ChaosError(f"{sent.name} {sent.id}: answers {[(a.status_code, a.text[:300]) for a in answers]}")

    async def _pass_time(self) -> None:
        """Delayed robots become due while the load runs."""
        if self._chance.random() < 0.2:
            await self.move_clock(CLOCK_STEP)

    async def move_clock(self, span: timedelta) -> None:
        """Move the practice clock on, if somebody answers."""
        self.now += span
        url, to = self._system.info["http"] + "/ops/clock", {"to": self.now.isoformat()}
        with suppress(httpx.TransportError):
            answer = await self._http.post(url, json=to, headers=self._head)
            if answer.status_code < 500 and answer.status_code not in (200, 409, *AGAIN):  # 409: another was before
                raise ChaosError(f"the clock was not moved: {answer.status_code} {answer.text[:300]}")

    async def _look(self) -> None:
        """See what became of messages: their leads are what commands are about."""
        with suppress(httpx.TransportError):  # nobody is there: the others need not be asked
            for inbound_id in list(self._unseen)[-10:]:
                with suppress(ValueError, KeyError, TypeError):
                    url = f"{self._system.info['http']}/api/intake/{inbound_id}"
                    found = (await self._http.get(url, headers=self._head)).json()
                    if found["outcome"] != "waiting":
                        self._unseen.pop(inbound_id)
                    if found["lead"]:
                        self.ledger.leads[UUID(found["lead"])] = None

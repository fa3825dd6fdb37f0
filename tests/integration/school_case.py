"""The English school of seed 003 as it would run: `leadline up` on a practice clock, a mail server, an SMS gateway, ad services.

Invariants: everything is done as a user, an adapter or another server would do it: over HTTP, SMTP and the `leadline` command;
nothing of the product is called. Waiting is for a condition, each with a limit.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.beside_others import free_port
from tests.chaos.system import System, until
from tests.integration.delivery.audiences import vk_service, yandex_service
from tests.integration.delivery.http_peer import Peer, answer, listening

MOSCOW = timezone(timedelta(hours=3))
START = datetime(2026, 11, 30, 9, 0, tzinfo=MOSCOW)
"""A Monday."""
AUDIENCE = "Пробное занятие"
SELLER = "anna"
LIMIT = 60.0


class _Talk(SMTP):
    """One connection, so that it can be cut."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.event_handler.open.append(transport)
        super().connection_made(transport)


class MailServer:
    """The school's mail server; it can be switched off, and comes back at the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.letters: list[EmailMessage] = []
        self.open: list[asyncio.Transport] = []
        self._server: asyncio.Server | None = None

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a letter."""
        assert isinstance(envelope.content, bytes)
        letter = BytesParser(policy=policy.SMTP).parsebytes(envelope.content)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 2.0.0 queued"

    async def on(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Talk(self, loop=loop), "127.0.0.1", self.port)

    async def off(self) -> None:
        """Listen no more, and cut who is connected."""
        assert self._server is not None
        self._server.close()
        while self.open:
            self.open.pop().abort()
        await self._server.wait_closed()

    def to(self, address: str) -> list[str]:
        """What came to an address: subject and text of each letter, in the order they came."""
        found = [letter for letter in self.letters if address in letter["To"]]
        return [f"{letter['Subject']}\n{letter.get_content()}" for letter in found]


@dataclass
class School:
    """The system at work, and the servers around it."""

    system: System
    mail: MailServer
    sms: Peer
    vk: vk_service.VkService
    yandex: yandex_service.YandexService
    http: httpx.AsyncClient
    now: datetime = START
    tokens: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    async def ask(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """A request with somebody's token: the answer's JSON. Any answer but a good one fails the test."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | more.pop("headers", {})
        said = await self.http.request(method, self.system.info["http"] + path, json=body, headers=headers, **more)
        assert said.status_code < 300, f"{method} {path}: {said.status_code} {said.text[:1000]}"
        return said.json()

    # --- what clients and the telephone do -----------------------------------------------------------------------

    async def apply(self, number: int, *, email: bool = True) -> Pupil:
        """Somebody fills in the form for a free lesson; their lead."""
        pupil = Pupil(self, number)
        form = {"name": pupil.name, "phone": pupil.phone, **({"email": pupil.email} if email else {})}
        inbound = (await self.ask("site", "POST", "/inbound/forms/free-lesson", form))["inbound_id"]

        async def became() -> Any:
            return (await self.ask("head", "GET", f"/api/intake/{inbound}"))["lead"]

        pupil.lead = await until(f"form {number} is a lead", became, LIMIT)
        return pupil

    # --- what time does --------------------------------------------------------------------------------------------

    async def wait(self, span: timedelta) -> None:
        """Time passes."""
        self.now += span
        await self.ask("head", "POST", "/ops/clock", {"to": self.now.isoformat()})

    async def page(self, who: str, path: str) -> str:
        """A page as somebody who has signed in sees it."""
        async with httpx.AsyncClient(base_url=self.system.info["http"], trust_env=False, timeout=20.0) as browser:
            said = await browser.post("/login", data={"token": self.tokens[who]})
            assert said.status_code == 303, said.text
            shown = await browser.get(path)
            assert shown.status_code == 200, shown.text
            return shown.text

    def short_messages(self) -> dict[str, str]:
        """Texts that the gateway took, by number."""
        asked = [json.loads(each.body) for each in self.sms.asked]
        return {each["to"]: each["text"] for each in asked}


@dataclass
class Pupil:
    """Somebody who applied, and what the school does with them."""

    school: School
    number: int
    lead: str = ""
    deal: str = ""

    @property
    def name(self) -> str:
        """Their name."""
        return f"Ученик {self.number}"

    @property
    def phone(self) -> str:
        """Their number."""
        return f"+7916000{self.number:04d}"

    @property
    def email(self) -> str:
        """Their address."""
        return f"pupil{self.number}@client.example"

    async def shown(self) -> Any:
        """Their lead as the API shows it."""
        return await self.school.ask(SELLER, "GET", f"/api/leads/{self.lead}")

    async def deal_shown(self) -> Any:
        """Their deal likewise."""
        return await self.school.ask(SELLER, "GET", f"/api/deals/{self.deal}")

    async def talk(self) -> None:
        """The seller calls and the client answers: the telephone exchange reports both, when it rings and when it ended."""
        self.school.calls += 1
        report = {
            "call_id": f"call-{self.school.calls}",
            "direction": "out",
            "from": "+74950000000",
            "to": self.phone,
            "answered": True,
            "started_at": self.school.now.isoformat(),
            "agent": SELLER,
        }
        await self.school.ask("site", "POST", "/inbound/calls", report)
        ended = {**report, "ended_at": (self.school.now + timedelta(minutes=3)).isoformat()}
        await self.school.ask("site", "POST", "/inbound/calls", ended)

        async def known() -> bool:
            return any(call["ended_at"] for call in (await self.shown())["calls"])

        await until(f"the call of pupil {self.number} has ended", known, LIMIT)

    async def type_in(self) -> None:
        """What the seller types in the call."""
        fields = {
            "name_check": "confirmed",
            "lesson_date": "2026-12-02",
            "lesson_time": "18:30",
            "lesson_place": f"Невский, 1, кабинет {self.number}",
        }
        await self.school.ask(SELLER, "POST", f"/api/leads/{self.lead}/commands/record", {"fields": fields})

    async def is_pupil(self) -> None:
        """Wait until the lead is won and the deal stands on its first stage."""

        async def won() -> bool:
            shown = await self.shown()
            if shown["stage"]["id"] != "deal" or not shown["deals"]:
                return False
            [self.deal] = shown["deals"]
            return bool((await self.deal_shown())["stage"]["id"] == "booked")

        await until(f"lead {self.number} is won and its deal stands", won, LIMIT)

    async def lesson_missed(self) -> None:
        """After the lesson somebody records that they did not come."""
        body = {"fact": "attended", "value": "no"}
        await self.school.ask(SELLER, "POST", f"/api/deals/{self.deal}/commands/establish", body)

    @property
    def in_yandex(self) -> bool:
        """Whether Yandex holds their phone's hash."""
        digits = hashlib.sha256(self.phone[1:].encode()).hexdigest()
        return any(digits in row for segment in self.school.yandex.segments.values() for row in segment.rows)

    @property
    def in_vk(self) -> bool:
        """Whether VK holds it."""
        digits = hashlib.md5(self.phone[1:].encode(), usedforsecurity=False).hexdigest()
        return any(digits in one.lines for one in self.school.vk.lists.values())


@asynccontextmanager
async def school_at_work() -> AsyncIterator[School]:
    """Everything runs; it is stopped in order, and the servers around it found nothing against their documents."""
    mail = MailServer()
    await mail.on()
    async with (
        listening(answer(202, b'{"id": "gw-1"}')) as sms,
        vk_service.VkService() as vk,
        yandex_service.YandexService() as yandex,
        httpx.AsyncClient(trust_env=False, timeout=20.0) as http,
    ):
        system = System(
            arguments=("--clock", START.isoformat()),
            environment={
                "LEADLINE_DEFAULT_PIPELINE": "english",
                "LEADLINE_RESPONSIBLES": json.dumps([SELLER]),
                "LEADLINE_STAFF": json.dumps([{"name": SELLER, "role": "seller"}, {"name": "helen", "role": "head"}]),
                "LEADLINE_MAIL_ID_DOMAIN": "id.school.example",
                "LEADLINE_MAIL_OUT": json.dumps(
                    {
                        "host": "127.0.0.1",
                        "port": mail.port,
                        "security": "none",
                        "from_address": "school@school.example",
                        "reply_address": "leads@school.example",
                        "per_minute": 6_000,
                    }
                ),
                "LEADLINE_SMS_OUT": json.dumps(
                    {"kind": "http", "url": f"http://127.0.0.1:{sms.port}/v1", "token": "t", "sender": "School"}
                    | {"per_minute": 6_000}
                ),
                "LEADLINE_AUDIENCES": json.dumps(
                    [
                        {"service": "vk", "base_url": vk.url, "per_minute": 6_000, **vk_service.CLIENT},
                        {"service": "yandex", "base_url": yandex.url, "per_minute": 6_000}
                        | {"token": yandex_service.TOKEN},
                    ]
                ),
            },
        )
        try:
            await system.up()
            school = School(system, mail, sms, vk, yandex, http)
            for name, role in (("site", "adapter"), (SELLER, "seller"), ("head", "head")):
                school.tokens[name] = await system.token(name, role)
            yield school
            await system.down()
        finally:
            system.close()
            await mail.off()
    assert vk.broken == []
    assert yandex.broken == []

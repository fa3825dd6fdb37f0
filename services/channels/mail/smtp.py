"""The listener for SMTP (RFC 5321): takes letters for the company's addresses, nothing else. aiosmtpd is seen only here and in
`services.channels.demo_out`.

Invariants: 250 after DATA means committed to Postgres; Postgres away is 451, so that the sender tries again; nothing is ever
sent on, so it cannot be an open relay, and addresses that are not the company's get 550. What a person wrote is never
answered 5xx, but for a letter above the limit (552) and for our own coming back (554). Every wait has an end; letters in
memory have a budget, above which senders are asked to come again (452). Nothing of a letter goes to logs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import Counter, Gauge

from services.channels.mail.reading.headers import normal_address
from services.channels.mail.taking import LETTER_BYTES, Post
from services.database import LOST
from services.health import Health
from services.serving import listen

IDLE_SECONDS = 120.0
"""A connection that says nothing for so long is closed."""
LETTER_SECONDS = 600.0
"""How long one letter may take to arrive."""
KEEP_SECONDS = 60.0
"""How long reading and storing a letter may take before the sender is told to come again."""
CONNECTIONS = 100
PEER_CONNECTIONS = 20
PEERS = 10_000
RECIPIENTS = 100
MEMORY_BYTES = 3 * LETTER_BYTES
"""Letters that are arriving or being stored, together."""
LINE_BYTES = 64 * 1024
"""The stream's buffer; command lines have smaller limits of their own."""
COMMAND_LIMIT = 1_000
ALL_THERE_IS = 2**31

REFUSED = Counter("leadline_smtp_refused_total", "What the SMTP listener did not take, by reason", ["reason"])
OPEN = Gauge("leadline_smtp_connections", "Open SMTP connections")

log = structlog.get_logger(__name__)
logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd logs addresses


@dataclass(slots=True)
class PeerLimits:
    """Letters per minute and peer, and connections, counted in memory. `monotonic`: seconds, no business time."""

    per_minute: int
    monotonic: Callable[[], float] = time.monotonic
    open: int = 0
    peers: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)
    """Peer → [tokens left, when they were counted, open connections]; the longest silent goes first."""

    def connected(self, peer: str) -> bool:
        """Count a connection. False: there are too many."""
        held = self._held(peer)
        self.open += 1
        held[2] += 1
        OPEN.set(self.open)
        return self.open <= CONNECTIONS and held[2] <= PEER_CONNECTIONS

    def gone(self, peer: str) -> None:
        """Count it no more."""
        self.open -= 1
        OPEN.set(self.open)
        if (held := self.peers.get(peer)) is not None:
            held[2] = max(0.0, held[2] - 1)

    def may_send(self, peer: str) -> bool:
        """Take the right to one letter. False: this peer sends too many for now."""
        held = self._held(peer)
        if held[0] < 1:
            return False
        held[0] -= 1
        return True

    def _held(self, peer: str) -> list[float]:
        now = self.monotonic()
        held = self.peers.setdefault(peer, [float(self.per_minute), now, 0.0])
        self.peers.move_to_end(peer)
        held[0] = min(float(self.per_minute), held[0] + (now - held[1]) * self.per_minute / 60)
        held[1] = now
        while len(self.peers) > PEERS:
            oldest = next((name for name, known in self.peers.items() if known[2] <= 0), None)
            if oldest is None:
                break
            del self.peers[oldest]
        return held


@dataclass(slots=True)
class Budget:
    """Bytes of letters in memory."""

    most: int = MEMORY_BYTES
    used: int = 0

    def take(self, size: int) -> bool:
        """Count these bytes. False: there is no room, nothing was counted."""
        if self.used + size > self.most:
            return False
        self.used += size
        return True

    def free(self, size: int) -> None:
        """Count them no more."""
        self.used -= size


class _Hooks:
    """What aiosmtpd asks about each command."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, host_name: str, answers: list[str]
    ) -> list[str]:
        session.host_name = host_name
        return [*answers[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", answers[-1]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        normal = normal_address(address)
        if normal is None or not self._listener.post.company.takes(normal):
            REFUSED.labels("recipient").inc()
            return "550 5.1.1 No such address here; nothing is sent on from here"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients at once"
        envelope.rcpt_tos.append(normal)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        log.error("an SMTP command failed", error=type(error).__name__)
        return "451 4.3.0 This failed on our side, come again later"


class _Conversation(SMTP):
    """One connection. aiosmtpd's, with a reading of DATA of our own: any line length, a budget, an end to every wait."""

    command_size_limit = 2_048
    line_length_limit = LINE_BYTES

    def __init__(self, listener: Listener) -> None:
        super().__init__(
            _Hooks(listener),
            data_size_limit=LETTER_BYTES,
            enable_SMTPUTF8=True,
            hostname=listener.host_name,
            ident="Leadline",
            timeout=IDLE_SECONDS,
            command_call_limit=COMMAND_LIMIT,
        )
        self._listener = listener
        self._peer = ""
        self._counted = False
        self._refusal = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else "local"
        self._counted = True
        if not self._listener.limits.connected(self._peer) or self._listener.closing:
            REFUSED.labels("connections").inc()
            self._refusal = "421 4.7.0 Too many connections, come again later"
        self._listener.conversations.add(self)
        super().connection_made(transport)

    async def _handle_client(self) -> None:
        try:
            if not self._refusal:
                await super()._handle_client()
                return
            await self.push(self._refusal)
            if self.transport is not None:
                self.transport.close()
        except ConnectionError:  # the other side is gone: nothing was promised to it
            return

    def connection_lost(self, error: Exception | None) -> None:
        if self._counted:
            self._counted = False
            self._listener.limits.gone(self._peer)
        self._listener.conversations.discard(self)
        super().connection_lost(error)

    def end(self) -> None:
        """Say that we close, unless a letter is just being stored: that one gets its answer first."""
        if self.transport is not None and not self._listener.is_storing(self):
            assert isinstance(self.transport, asyncio.WriteTransport)
            self.transport.write(b"421 4.3.2 Closing, come again later\r\n")
            self.transport.close()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        if await self.check_helo_needed():
            return
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        if not self._listener.limits.may_send(self._peer):
            REFUSED.labels("rate").inc()
            await self.push("450 4.7.1 Too many letters from here, come again in a minute")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        letter, answer, held = bytearray(), "", 0
        try:
            async with asyncio.timeout(LETTER_SECONDS):
                letter, answer, held = await self._read_letter()
            if not answer:
                answer = await self._store(bytes(letter))
        except TimeoutError:
            REFUSED.labels("slow").inc()
            answer = "421 4.4.2 The letter took too long"
        finally:
            self._listener.budget.free(held)
        self.envelope = Envelope()
        await self.push(answer)
        if answer.startswith("421") and self.transport is not None:
            self.transport.close()

    async def _read_letter(self) -> tuple[bytearray, str, int]:
        """The letter, or why it is not taken; and how much of the budget it holds. Reads to its end in any case.

        Only CRLF.CRLF ends a letter: a bare line feed there would let one letter smuggle in another.
        """
        letter, answer, held, size = bytearray(b"\r\n"), "", 0, 0
        budget = self._listener.budget
        try:
            while True:
                piece = await self._reader.read(ALL_THERE_IS)
                if not piece:
                    raise ConnectionResetError("the connection ended inside a letter")
                self._reset_timeout()
                looked = max(0, len(letter) - 4)
                letter += piece
                end = letter.find(b"\r\n.\r\n", looked)
                if end >= 0:
                    rest = bytes(letter[end + 5 :])
                    del letter[end + 2 :]
                    if rest:  # commands sent ahead; `read` gave out all there was, so they go back to the front
                        self._reader.feed_data(rest)
                size += len(piece)
                if not answer and size > LETTER_BYTES:
                    REFUSED.labels("size").inc()
                    answer = f"552 5.3.4 A letter may have {LETTER_BYTES // (1024 * 1024)} MB"
                if not answer:
                    if budget.take(len(piece)):
                        held += len(piece)
                    else:
                        REFUSED.labels("memory").inc()
                        answer = "452 4.3.1 Too many large letters at once, come again later"
                if end >= 0:
                    break
                if answer:
                    del letter[:-4]
        except BaseException:
            budget.free(held)
            raise
        if answer:
            return bytearray(), answer, held
        # a line's first dot protects it (RFC 5321 4.5.2)
        return letter.replace(b"\r\n.", b"\r\n")[2:], "", held

    async def _store(self, raw: bytes) -> str:
        assert self.envelope is not None
        self._reset_timeout(KEEP_SECONDS + IDLE_SECONDS)
        with self._listener.storing(self):
            return await self._listener.store(raw, self.envelope)


@dataclass
class Listener:
    """The listener. `host_name`: the name it greets with; `per_minute`: letters a peer may send."""

    post: Post
    host_name: str
    per_minute: int
    budget: Budget = field(default_factory=Budget)
    closing: bool = False
    port: int = 0
    """Where it listens, once it does."""
    conversations: set[_Conversation] = field(default_factory=set)
    limits: PeerLimits = field(init=False)
    _storing: set[_Conversation] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.limits = PeerLimits(self.per_minute)

    async def serve(self, host: str, port: int, health: Health, stop: asyncio.Event, *, within: float) -> None:
        """Listen until `stop`; letters being stored then get `within` seconds to end. Raises OSError when the port is taken."""
        socket = listen(host, port)
        try:
            server = await asyncio.get_running_loop().create_server(lambda: _Conversation(self), sock=socket)
        except BaseException:
            socket.close()
            raise
        self.port = socket.getsockname()[1]
        log.info("listening for mail", host=host, port=self.port)
        health.ready("smtp")
        try:
            await stop.wait()
        finally:
            health.unready("smtp", "stopped")
            self.closing = True
            server.close()
            await self._close(within)

    async def _close(self, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                while self.conversations:
                    for conversation in list(self.conversations):
                        conversation.end()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            for conversation in list(self.conversations):
                if conversation.transport is not None:
                    conversation.transport.close()

    @contextmanager
    def storing(self, conversation: _Conversation) -> Iterator[None]:
        """While a letter of this connection is being stored it is not closed."""
        self._storing.add(conversation)
        try:
            yield
        finally:
            self._storing.discard(conversation)

    def is_storing(self, conversation: _Conversation) -> bool:
        """Whether a letter of this connection is being stored."""
        return conversation in self._storing

    async def store(self, raw: bytes, envelope: Envelope) -> str:
        """Keep a letter; the answer to its sender."""
        sender = envelope.mail_from or ""
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                taken = await self.post.take(
                    raw,
                    way="smtp",
                    source="listener",
                    recipients=list(dict.fromkeys(envelope.rcpt_tos)),
                    return_path="" if sender == "<>" else sender,
                )
        except LOST as error:
            REFUSED.labels("database").inc()
            log.warning("a letter waits with its sender: the database is away", error=type(error).__name__)
            return "451 4.3.0 The store is away, come again later"
        except Exception as error:  # whatever it is, the sender keeps the letter and comes again
            REFUSED.labels("failed").inc()
            log.error("a letter could not be kept", error=type(error).__name__)
            return "451 4.3.0 This failed on our side, come again later"
        if taken.outcome == "refused":
            return f"554 5.4.6 A loop: {taken.why}"
        return f"250 2.0.0 Kept as {taken.inbound_id}"

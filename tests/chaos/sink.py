"""The mail server that letters go to: it takes them all, and counts each by its Message-ID."""

from __future__ import annotations

import json
from collections import Counter
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.beside_others import free_port


class Sink:
    """Listens on a free port of 127.0.0.1, in a thread of its own: what the harness does holds no letter up."""

    def __init__(self) -> None:
        self.letters: Counter[str] = Counter()
        self._port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port, ready_timeout=10.0)

    def open(self) -> None:
        """Listen."""
        self._controller.start()

    def close(self) -> None:
        """Listen no more."""
        self._controller.stop()

    @property
    def mail_out(self) -> str:
        """The setting by which letters come here. One connection: no more than one letter is under way at any moment."""
        place = {"host": "127.0.0.1", "port": self._port, "security": "none", "per_minute": 600_000}
        # a call that was killed is taken up again when it cannot be under way any more: the sink answers at once
        times = {"timeout": 1.0, "answer_timeout": 2.0}
        return json.dumps({**place, **times, "from_address": "sales@chaos.example"})

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a letter."""
        assert isinstance(envelope.content, bytes)
        self.letters[str(message_from_bytes(envelope.content, policy=policy.SMTP)["Message-ID"])] += 1
        return "250 2.0.0 queued"

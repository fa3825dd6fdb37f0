"""The mail part of the door: the listener, where a port is set, and a poller for each mailbox.

Invariants: without settings nothing listens and nothing is polled; a mailbox that cannot be read does not make the door
unready (it is told on the operations page and in metrics), a listener that cannot listen ends the start.
"""

from __future__ import annotations

import asyncio
import socket

from services.channels.intake import Intake
from services.channels.mail.polling import Poller
from services.channels.mail.reading.company import Company
from services.channels.mail.smtp import Listener
from services.channels.mail.taking import Post
from services.health import Health
from services.settings import Settings

CLOSING_SECONDS = 5.0
"""How long letters being stored may take at a stop; their senders come again after that."""


def post_of(settings: Settings, intake: Intake) -> Post:
    """What takes letters. Raises ValueError naming the setting that is wrong."""
    entries = [*settings.mail_addresses, *(mailbox.address for mailbox in settings.mailboxes)]
    try:
        company = Company.of(entries)
    except ValueError as error:
        raise ValueError(f"LEADLINE_MAIL_ADDRESSES, LEADLINE_MAILBOXES: {error}") from None
    if settings.smtp_port is not None and not settings.mail_addresses:
        raise ValueError(
            "LEADLINE_SMTP_PORT is set but LEADLINE_MAIL_ADDRESSES is not: say which addresses are yours, "
            'for example ["leads@example.org", "@sales.example.org"]'
        )
    names = [mailbox.name for mailbox in settings.mailboxes]
    if len(set(names)) < len(names):
        raise ValueError("LEADLINE_MAILBOXES: two mailboxes have the same name; what was taken is remembered by it")
    return Post(intake, company, settings.mail_id_domain)


async def run_mail(settings: Settings, intake: Intake, health: Health, stop: asyncio.Event) -> None:
    """Take mail until `stop`. Raises OSError when the port is taken, ValueError for wrong settings."""
    post = post_of(settings, intake)
    async with asyncio.TaskGroup() as group:
        if settings.smtp_port is not None:
            health.expect("smtp")
            listener = Listener(post, socket.gethostname()[:60] or "leadline", settings.smtp_letters_per_minute)
            group.create_task(
                listener.serve(settings.smtp_host, settings.smtp_port, health, stop, within=CLOSING_SECONDS),
                name="smtp",
            )
        for mailbox in settings.mailboxes:
            group.create_task(
                Poller(mailbox, post, intake.pool, intake.clock).run(stop), name=f"mailbox {mailbox.name}"
            )

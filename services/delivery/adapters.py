"""The ways out that the settings name, each with its adapter and its limits.

Invariants: a way is in the answer only if the settings have all it needs; what goes a way that is not there waits, and says so.
`app` is always there: nothing leaves the house by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from services.delivery.audiences import audience_adapters
from services.delivery.domain import APP, EMAIL, SMS
from services.delivery.mail.smtp import SmtpAdapter
from services.delivery.mail.unsubscribing import way_out
from services.delivery.making import Making
from services.delivery.port import Adapter
from services.delivery.sms.http_gateway import HttpGateway
from services.delivery.sms.smpp import SmppAdapter
from services.delivery.webhooks import WebhookAdapter
from services.settings import Settings
from services.ways_out import OutgoingMail, OutgoingSms, OutgoingWebhook, SmsGateway

CALL_SECONDS = 180.0
"""A call that has not ended by then is cut off; adapters end theirs earlier."""
MARGIN_SECONDS = 30.0
AT_ONCE = 8
"""Calls of one webhook or gateway side by side."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way out. `provider` is what its effects bear in the ledger. None as `adapter`: nothing is sent (the app shows it)."""

    provider: str
    adapter: Adapter[Any] | None
    per_minute: int | None = None
    """Effects a minute, or calls where `by_call`; None: no limit."""
    tells_repeats: bool = True
    """Whether the other side, or what an effect does there, makes a second try harmless."""
    by_call: bool = False
    """Whether the limit counts calls, each of many effects, and not effects."""
    call_seconds: float = CALL_SECONDS
    at_once: int = 1
    """Calls side by side in one process; one where the other side tells no repeats, so that a crash leaves one effect in doubt
    at most."""

    def __post_init__(self) -> None:
        if self.at_once > 1 and not self.tells_repeats:
            raise ValueError(
                "calls side by side are for a side that tells repeats: a crash would leave several in doubt"
            )

    @property
    def most(self) -> int:
        """Effects in one call."""
        return self.adapter.most if self.adapter is not None else 500


def ways_of(settings: Settings) -> list[Way]:
    """Every way that the settings have all for. Whoever asks closes the adapters."""
    ways = [Way(APP, None)]
    if settings.mail_out is not None:
        ways.append(_mail(settings.mail_out))
    if settings.sms_out is not None:
        ways.append(_sms(settings.sms_out))
    adapters = audience_adapters(settings)
    for account in settings.audiences:
        # a change of an audience is harmless when it is made twice: an audience is a set
        way = f"audiences.{account.service}"
        ways.append(Way(way, adapters[account.service], per_minute=account.per_minute, by_call=True))
    for name, webhook in settings.webhooks.items():
        # Standard Webhooks: whoever is called tells a repeat by its `webhook-id`
        ways.append(webhook_way(name, webhook))
    return ways


def webhook_way(name: str, webhook: OutgoingWebhook) -> Way:
    """The way to a webhook."""
    return Way(f"webhook:{name}", WebhookAdapter(name, webhook), per_minute=webhook.per_minute, at_once=AT_ONCE)


def _mail(mail: OutgoingMail) -> Way:
    adapter = SmtpAdapter(mail)
    return Way(
        EMAIL,
        adapter,
        per_minute=mail.per_minute,
        tells_repeats=False,
        call_seconds=adapter.longest + MARGIN_SECONDS,
    )


def _sms(sms: OutgoingSms) -> Way:
    if isinstance(sms, SmsGateway):
        return Way(SMS, HttpGateway(sms), per_minute=sms.per_minute, at_once=AT_ONCE)
    return Way(SMS, SmppAdapter(sms), per_minute=sms.per_minute, tells_repeats=False)


def making_of(settings: Settings) -> Making:
    """What the settings say that goes into letters."""
    staff = {person.name: person.email for person in settings.staff if person.email}
    return Making(staff, settings.mail_id_domain, partial(_unsubscribe, settings))


def _unsubscribe(settings: Settings, lead: UUID) -> str | None:
    """Where a marketing letter is ended: nobody's without a server for letters."""
    if settings.mail_out is None:
        return None
    return way_out(settings.mail_out, settings.public_url, settings.pepper_bytes, lead=lead, thread=str(lead))

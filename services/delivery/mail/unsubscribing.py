"""Which way out a marketing letter offers: one click where the door has a public address, else a letter (C7, RFC 8058, 2369).

Pure. Invariants: both ways name the lead, the first by a signed token, the second by the conversation's, and neither names the
person.
"""

from __future__ import annotations

from uuid import UUID

from services.delivery.mail.composing import unsubscribe_by_letter, with_token
from services.privacy.unsubscribing import unsubscribe_link, unsubscribe_token
from services.ways_out import OutgoingMail


def way_out(mail: OutgoingMail, public_url: str | None, pepper: bytes, *, lead: UUID, thread: str) -> str:
    """For `Letter.unsubscribe`. `public_url`: `LEADLINE_PUBLIC_URL`; `thread`: the letter's.

    Raises UnsendableError where `thread` is no token.
    """
    if public_url is not None:
        return unsubscribe_link(public_url, unsubscribe_token(pepper, lead))
    return unsubscribe_by_letter(with_token(mail.answers_to, thread))

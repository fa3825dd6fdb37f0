"""A letter as intake keeps it: what was read of it, with the original and its attachments in `blobs` (K5, RFC 5322).

Made by `services.channels.mail`; an adapter that brings one itself leaves out what points to blobs. Invariants: addresses are
addr-specs (RFC 5322 3.4.1, RFC 6531), the domain in lower case, without display names; ids stand without angle brackets. A
letter of which no sender could be read has no `sender`: it does not fit, waits in quarantine, its `defects` say why, and it
is mended by giving one.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

TEXT_CHARS = 20_000
"""The most characters of a letter that are shown; the rest is in the original."""

Address = Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^\s@][^\x00-\x1f]*@[^\s@]+$")]
MessageId = Annotated[str, Field(min_length=1, max_length=998)]
Line = Annotated[str, Field(max_length=998)]


class MailAttachment(BaseModel):
    """A file that came with a letter. Name and media type are the sender's word, never to be trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=255)]
    media_type: Annotated[str, Field(max_length=255)]
    size: int = Field(ge=0)
    """Bytes, decoded."""
    blob: UUID


class BouncedAddress(BaseModel):
    """An address a letter of ours did not reach, or not yet (RFC 3464)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Address
    status: Annotated[str, Field(pattern=r"^[245]\.\d{1,3}\.\d{1,3}$")]
    """RFC 3463; where the report names none, 5.0.0 (failed) or 4.0.0 (delayed)."""
    diagnostic: Annotated[str, Field(max_length=1_000)] = ""
    permanent: bool
    """The address itself does not work. False: still being tried, or given up for a reason that says nothing about the
    address (box full, letter refused for its content, the other server down)."""
    still_trying: bool | None = None
    """Whether the letter may still arrive (RFC 3464 «delayed»). None: as the class of the status says, 4 for yes."""

    @property
    def given_up(self) -> bool:
        """Whether the letter will not arrive."""
        return self.permanent or not (self.status.startswith("4") if self.still_trying is None else self.still_trying)


class MailBody(BaseModel):
    """A letter that came by SMTP or IMAP."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message_id: MessageId | None = None
    sender: Address
    sender_name: Annotated[str, Field(max_length=500)] | None = None
    reply_to: Address | None = None
    to: list[Address] = Field(default_factory=list, max_length=200)
    cc: list[Address] = Field(default_factory=list, max_length=200)
    recipients: list[Address] = Field(default_factory=list, max_length=200)
    """Those of our addresses it was delivered to (the envelope's, or those of the mailbox)."""
    subject: Line = ""
    text: Annotated[str, Field(max_length=TEXT_CHARS)] = ""
    """Plain text to show, without quoted history; where it was cut, it ends with […]."""
    sent_at: AwareDatetime | None = None
    in_reply_to: MessageId | None = None
    references: list[MessageId] = Field(default_factory=list, max_length=100)
    """Oldest first (RFC 5322 3.6.4)."""
    thread: Annotated[str, Field(pattern=r"^[A-Za-z0-9._\-]{1,128}$")] | None = None
    """TOKEN of a letter to `leads+TOKEN@company`: which conversation it answers."""
    kind: Literal["letter", "auto_reply", "bounce"] = "letter"
    bounced: list[BouncedAddress] = Field(default_factory=list, max_length=200)
    list_id: Line | None = None
    """Set for a letter of a mailing list or bulk mailer (RFC 2919, RFC 2369, Precedence)."""
    attachments: list[MailAttachment] = Field(default_factory=list, max_length=200)
    defects: list[Line] = Field(default_factory=list, max_length=50)
    """What was broken in it, in words for a person; nothing of its content."""
    raw_size: int = Field(default=0, ge=0)
    """Bytes of the original letter."""
    raw_blob: UUID | None = None
    """The original letter, as received."""

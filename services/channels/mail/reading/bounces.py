"""Which addresses a letter of ours did not reach: delivery status reports (RFC 3464) and the older forms.

Pure. Invariants: never raises; «delayed» is not «failed» (RFC 3464 2.3.3); an address counts as not working only where a server
says that it knows no such address, never by default: servers say 5.0.0 of whatever they gave up, be it a full box, spam or
a server that was away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.channels.mail.reading.charsets import decode
from services.channels.mail.reading.headers import addresses_in, line, message_ids, normal_address, text_of
from services.channels.mail.reading.mime import Part, read_fields, read_message

FAILED, DELAYED = "5.0.0", "4.0.0"
"""RFC 3463's «other undefined status», where a report names no better one."""
MOST = 200
REPORT_BYTES = 256 * 1024
DIAGNOSTIC_CHARS = 1_000

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.])([45])(\d\d)(?=[ \-])")
_NO_SUCH_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""Mailbox or system unknown, no address, moved (RFC 3463 3.2), a domain that takes no mail (RFC 7505)."""
_SAYS_UNKNOWN = re.compile(
    r"(?:user|recipient|mailbox|account|address|addressee)[ .:,'\"]*(?:is |was |name |id )?"
    r"(?:unknown|not (?:found|known)|terminated)"
    r"|(?:unknown|invalid|non-?existent|no such|not a valid) (?:local )?"
    r"(?:user|recipient|mail ?box|account|address|person|addressee)"
    r"|(?:does not|do not|doesn't|doesnt|did not|not) exist|recipientnotfound|unrouteable address|has no mailbox"
    r"|user (?:doesn't|does not) have|couldn't find (?:a|any) (?:mail exchanger|host)"
    r"|no mx record|indicated no smtp service"
    r"|(?:host|domain)(?: or domain)?(?: name)?(?: is)? (?:not found|unknown)(?!,? *try again)"
    r"|(?:unknown|no such) (?:host|domain)"
    r"|(?:пользователь|ящик|адрес(?:ат)?|получатель)\s(?:\S+\s)?(?:не (?:найден|существует|зарегистрирован)|неизвестен)"
    r"|(?:нет такого|неизвестный|несуществующий) (?:пользовател|ящик|адрес|получател)",
    re.IGNORECASE,
)
_SAYS_ELSE = re.compile(
    r"quota|mail ?(?:box|folder) (?:is )?full|is full\b|(?:disk|no|of|insufficient|enough) space|spam|\bblock"
    r"|black ?list|deny ?list|reputation|polic(?:y|ies)|virus|filter|\bspf\b|dkim|dmarc|\bptr\b|reverse dns|\bsender\b"
    r"|mail from|relay|greylist|too many|too fast|rate limit|throttl"
    r"|preference|access denied|переполнен|спам|заблокирован",
    re.IGNORECASE,
)
"""What a failure is about that is not the address, whatever its status."""
_AN_ADDRESS = re.compile(r"[^\s<>@]{1,200}@[^\s<>@]{1,200}")
_SENDERS = re.compile(r"^(?:mailer-?daemon|postmaster|mail[-_]?daemon|mailerdaemon|mdaemon|bounces?)\b", re.IGNORECASE)
_SUBJECTS = re.compile(
    r"undeliver(?:ed|able)|delivery status notification|mail delivery (?:failed|failure|system)|delivery (?:failure|has failed)"
    r"|failure notice|returned mail|returning message|message delayed|delayed mail|could not be delivered"
    r"|warning: (?:message|could not send)|недоставлен|не (?:может быть|было|удалось) доставл|ошибка доставки|сбой доставки"
    r"|доставка .{0,40}не удалась|задержка доставки|письмо не доставлено|возвращ[её]нное письмо",
    re.IGNORECASE,
)
_STILL_TRYING = re.compile(
    r"delay|warning|will (?:be )?(?:retr|tr)|still trying|not yet been delivered|задержк|повторн|будет продолжат",
    re.IGNORECASE,
)
_WRAPPED_COPY = re.compile(
    r"\s*(?:-{2,}.*(?:copy of|original message|returned message|headers follow|исходн|копия)|original message headers:?\s*$)",
    re.IGNORECASE,
)
_RETURNED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"})
_COPIED_ID = re.compile(r"^[ \t>]{0,10}Message-ID:[ \t]*(<[^<>\s]{1,900}>)", re.IGNORECASE | re.MULTILINE)
_LINE_CHARS = 200
_REACHED = re.compile(rb"^action:[ \t]*(?:delivered|relayed|expanded)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Failure:
    """One address of a report."""

    address: str
    status: str
    diagnostic: str
    permanent: bool
    """The address does not work."""
    still_trying: bool = False
    """The letter may still arrive. Neither: it was given up for a reason that is not the address."""


def is_from_mail_system(sender: str | None, return_path: str | None) -> bool:
    """Whether the letter comes from a mail server, not from a person or a robot of one."""
    return return_path == "" or bool(sender and _SENDERS.match(sender))


def looks_like_bounce(letter: Part, subject: str, sender: str | None, return_path: str | None) -> bool:
    """Whether a letter without a machine-readable report is a bounce all the same."""
    if letter.get("x-failed-recipients") is not None:
        return True
    return is_from_mail_system(sender, return_path) and _SUBJECTS.search(subject) is not None


def tells_of_arrival(reports: list[Part]) -> bool:
    """Whether reports say of any address that it was reached: then one without failures is a receipt."""
    return any(_REACHED.search(report.content()[:REPORT_BYTES]) for report in reports)


def report_of(letter: Part) -> list[Part]:
    """The delivery status parts of a letter."""
    return [
        part
        for part in letter.walk()
        if part.media_type in ("message/delivery-status", "message/global-delivery-status")
    ]


def returned_ids(letter: Part, text: str) -> list[str]:
    """Message-IDs of what could not be delivered, from the copy or the headers that a report gives back (RFC 3464 2, RFC 3462).

    `text`: of the letter, in which the older forms put that copy.
    """
    for part in letter.walk():
        if part.media_type in _RETURNED:
            found = message_ids(read_message(part).get_all("message-id"))
            if found:
                return found
    return message_ids(named[1].encode() for named in _COPIED_ID.finditer(text[:REPORT_BYTES]))[:MOST]


def reported(reports: list[Part]) -> list[Failure]:
    """The addresses of machine-readable reports that were not reached, or not yet."""
    found: dict[str, Failure] = {}
    for report in reports:
        content = report.content()[:REPORT_BYTES]
        for group in re.split(rb"(?:\r?\n[ \t]*){2,}", content.strip()):
            fields, _ = read_fields(group + b"\r\n\r\n", 0, len(group) + 4, [])
            failure = _of_group(dict(reversed(fields)))
            if failure is not None and len(found) < MOST:
                found.setdefault(failure.address, failure)
    return list(found.values())


def _of_group(fields: dict[str, bytes]) -> Failure | None:
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        given = text_of(fields.get(name)).rpartition(";")[2].strip().strip("<>")
        if address := normal_address(given):
            break
    else:
        return None
    action = text_of(fields.get("action")).lower().partition(" ")[0]
    if action in ("delivered", "relayed", "expanded"):
        return None
    diagnostic = text_of(fields.get("diagnostic-code")).partition(";")[2].strip() or text_of(
        fields.get("diagnostic-code")
    )
    status = _STATUS.search(text_of(fields.get("status")))
    named = status[0] if status and status[1] != "2" else _status_in(diagnostic, delayed=action == "delayed")
    if action == "delayed":
        named = named if named.startswith("4") else DELAYED
    better = _STATUS.search(diagnostic)
    if named == FAILED and better is not None and better[1] == "5":
        named = better[0]
    delayed = action == "delayed"
    proves = not delayed and _proves(named, diagnostic)
    return Failure(address, named, diagnostic[:DIAGNOSTIC_CHARS], proves, delayed)


def _proves(status: str, diagnostic: str) -> bool:
    """Whether a failure says that the address does not work."""
    said = _AN_ADDRESS.sub("@", diagnostic)  # what an address is made of means nothing
    if not status.startswith("5") or _SAYS_ELSE.search(said):
        return False
    return status in _NO_SUCH_ADDRESS or _SAYS_UNKNOWN.search(said) is not None


def guessed(letter: Part, subject: str, text: str, ours: set[str]) -> list[Failure]:
    """The addresses of a bounce without a report: qmail, Exim, Exchange's text and what looks like them.

    `ours`: addresses that are the letter's own sender and recipients, which such texts name too.
    """
    named = letter.get("x-failed-recipients")
    said = _before_copy(text[:REPORT_BYTES])
    addresses = addresses_in(decode(named[:REPORT_BYTES])) if named is not None else []
    if not addresses:
        addresses = [address for address in addresses_in(said) if address not in ours and not _SENDERS.match(address)]
    delayed = _STILL_TRYING.search(subject) is not None
    found = []
    for address in addresses[:MOST]:
        diagnostic = line(_after(said, address))[:DIAGNOSTIC_CHARS]
        status = DELAYED if delayed else _status_in(diagnostic, delayed=False)
        found.append(Failure(address, status, diagnostic, not delayed and _proves(status, diagnostic), delayed))
    return found


def _before_copy(text: str) -> str:
    """A report without the copy of our own letter below it."""
    lines = text.split("\n")
    end = next((number for number, said in enumerate(lines) if _WRAPPED_COPY.match(said[:_LINE_CHARS])), len(lines))
    return "\n".join(lines[:end])


def _after(text: str, address: str) -> str:
    """What a report says of an address: the lines from it to the next empty one."""
    at = text.lower().find(address.lower())
    return (
        "" if at < 0 else text[at + len(address) : at + len(address) + 2_000].lstrip(">:, \r\n\t").partition("\n\n")[0]
    )


def _status_in(text: str, *, delayed: bool) -> str:
    """The RFC 3463 status a text names, by its SMTP code where there is no better."""
    status = _STATUS.search(text)
    if status is not None and status[1] != "2":
        return status[0]
    code = _CODE.search(text)
    if code is not None:
        return FAILED if code[1] == "5" else DELAYED
    return DELAYED if delayed else FAILED

"""What commands print: tables of lines for people, JSON for programs.

Invariants: colours only where there is a terminal; a client's text cannot move the cursor or colour the terminal (control
characters are shown as signs); JSON goes to stdout alone, everything else said on the way to stderr.
"""

from __future__ import annotations

import getpass
import sys
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from rich.console import Console

MASK_OF_CONTROL = "�"
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def console(*, error: bool = False) -> Console:
    """The terminal, which wraps long lines itself."""
    from rich.console import Console

    return Console(stderr=error, soft_wrap=True, highlight=False, markup=False, emoji=False)


def plain(text: object) -> str:
    """A text on one line that does nothing to a terminal but stand there."""
    spaced = " ".join(str(text).split())
    return "".join(MASK_OF_CONTROL if unicodedata.category(sign) in HIDDEN else sign for sign in spaced)


def user() -> str:
    """Who is at this terminal, as an event can hold it: visible ASCII; `ops` where the system does not say."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return "ops"
    return name if name.isascii() and name.isprintable() and 0 < len(name.strip()) <= 100 else "ops"


def print_json(value: Any) -> None:
    """A JSON document on stdout, in UTF-8 whatever the terminal's locale says."""
    import orjson

    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str))
    sys.stdout.buffer.flush()


def local(moment: datetime, zone: str) -> str:
    """A moment as the team's clock showed it, to the second, with its offset."""
    return moment.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="seconds")

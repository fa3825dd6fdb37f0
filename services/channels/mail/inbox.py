"""One mailbox over IMAP (RFC 3501), blocking: what is new in it, and the bytes of a letter. imap-tools is seen only here.

Invariants: the folder is opened read-only and letters are peeked at, so nothing is marked, moved or deleted; every wait on the
socket has a limit; certificates are verified. Raises `InboxError` for whatever server or network do, without what they said.
"""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import TYPE_CHECKING

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError

if TYPE_CHECKING:
    from services.settings import Mailbox

SOCKET_SECONDS = 30.0


class InboxError(Exception):
    """The mailbox cannot be read now. `gone`: the connection is of no more use."""

    def __init__(self, what: str, *, gone: bool = True) -> None:
        super().__init__(what)
        self.gone = gone


class Inbox:
    """A mailbox, connected on first use and again after it was lost. One thread at a time."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._box: BaseMailBox | None = None

    def uid_validity(self) -> tuple[int, int]:
        """UIDVALIDITY of the folder, and the UID the next letter will have (1 where the server does not say)."""
        with self._asking("look into the folder"):
            box = self._connected()
            box.folder.set(self._mailbox.folder, readonly=True)
            validity = box.client.response("UIDVALIDITY")[1][0]
            following = box.client.response("UIDNEXT")[1][0]
            if not isinstance(validity, bytes):
                raise InboxError("the server gives no UIDVALIDITY: letters cannot be told apart")
            return int(validity), int(following) if isinstance(following, bytes) else 1

    def uids_after(self, uid: int, since: date | None = None) -> list[int]:
        """UIDs above this one, in order. `since`: only letters the server got on this day or later."""
        with self._asking("list the letters"):
            wanted = f"UID {uid + 1}:*" + (f" SINCE {since:%d-%b-%Y}" if since else "")
            found = self._connected().uids(wanted, charset=None)
            return sorted(number for number in map(int, found) if number > uid)  # «n:*» names the last one always

    def letter(self, uid: int, most: int) -> tuple[bytes, bool] | None:
        """A letter's bytes, and whether they are all of it; above `most` bytes its header alone. None: it is gone."""
        with self._asking("fetch a letter"):
            box = self._connected()
            sized = _item(box.client.uid("FETCH", str(uid), "(RFC822.SIZE)"))
            if sized is None:
                return None
            head = sized[0] if isinstance(sized, tuple) else sized
            size = head.upper().partition(b"RFC822.SIZE")[2].strip().split(b")")[0].split()
            whole = not size or int(size[0]) <= most
            item = _item(box.client.uid("FETCH", str(uid), "(BODY.PEEK[])" if whole else "(BODY.PEEK[HEADER])"))
            if item is None:
                return None
            if not isinstance(item, tuple):
                raise InboxError("the server gave no text of a letter", gone=False)
            return bytes(item[1]), whole

    def close(self) -> None:
        """Say good-bye, if that can still be said."""
        box, self._box = self._box, None
        if box is not None:
            with suppress(OSError, imaplib.IMAP4.error, ImapToolsError, ValueError):
                box.logout()

    def abort(self) -> None:
        """Cut the connection; from another thread, to end a wait there."""
        box = self._box
        if box is not None:
            with suppress(OSError):
                box.client.shutdown()

    def _connected(self) -> BaseMailBox:
        if self._box is None:
            given = self._mailbox
            box: BaseMailBox
            if given.security == "tls":
                box = MailBox(given.host, given.port, SOCKET_SECONDS, ssl_context=ssl.create_default_context())
            elif given.security == "starttls":
                box = MailBoxStartTls(given.host, given.port, SOCKET_SECONDS, ssl.create_default_context())
            else:
                box = MailBoxUnencrypted(given.host, given.port, SOCKET_SECONDS)
            self._box = box
            log_in = (
                box.login if given.user.isascii() and given.password.get_secret_value().isascii() else box.login_utf8
            )
            log_in(given.user, given.password.get_secret_value(), initial_folder=None)
        return self._box

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except InboxError as error:
            if error.gone:
                self.close()
            raise
        except MailboxLoginError:
            self.close()
            raise InboxError("the server refuses the user or the password") from None
        except MailboxFolderSelectError:
            self.close()
            raise InboxError(f"there is no folder {self._mailbox.folder!r}") from None
        except (imaplib.IMAP4.abort, OSError) as error:
            self.abort()
            self._box = None
            raise InboxError(f"the connection failed ({type(error).__name__}) on the way to {what}") from None
        except (imaplib.IMAP4.error, ImapToolsError) as error:
            raise InboxError(f"the server would not {what} ({type(error).__name__})", gone=False) from None
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            self.abort()
            self._box = None
            raise InboxError(f"the server's answer cannot be read ({type(error).__name__})") from None


def _item(answer: tuple[str, list[object]]) -> tuple[bytes, bytes] | bytes | None:
    """The first thing a FETCH gave; None where the letter is gone."""
    state, items = answer
    if state != "OK":
        raise InboxError(f"the server answered {state}", gone=False)
    for item in items:
        if isinstance(item, tuple | bytes):
            return item
    return None

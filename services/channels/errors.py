"""What intake answers when it cannot take a message or do what it was asked: data for an HTTP answer, no HTTP here."""

from __future__ import annotations


class UnacceptableError(Exception):
    """A message, or a request about one, that changes nothing.

    `status`: the HTTP status; `code`: a stable word for programs; `detail`: what is wrong and the way out, `where`: the place;
    `retry_after`: seconds after which the same will be taken.
    Never holds what the message said.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, where: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.where = where
        self.retry_after = retry_after

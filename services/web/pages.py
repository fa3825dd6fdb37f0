"""What all pages stand on: who visits, in which language, how a page is rendered, how a posted form is trusted; signing in.

Invariants: every page needs a session (but sign-in, errors, `/docs`, and what a client opens from a letter); every POST of a
session needs its CSRF text and our own origin; templates escape everything; no page carries a script or style in itself. A
visitor without a session goes to `/login` and comes back only to a path of our own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.channels.http import read_body
from services.web.door import Door, TheDoor, door_of, language_of
from services.web.problems import ProblemError
from services.web.sessions import COOKIE, SESSION_SECONDS, Session, from_our_page, local_path, same_csrf
from services.web.shield import is_page_path
from services.web.telling import Telling
from services.web.texts import LANGUAGES, Words
from services.web.tokens import TOKEN_CHARACTERS, Holder, hash_of

LANGUAGE_COOKIE = "leadline_language"
LANGUAGE_SECONDS = 365 * 24 * 60 * 60
FORM_BYTES = 400 * 1024
FORM_FIELDS = 400

router = APIRouter()
templates = Environment(
    loader=PackageLoader("services.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

templates.filters["without_empty"] = lambda fields: {name: value for name, value in fields.items() if value}
templates.policies["json.dumps_kwargs"] = {"ensure_ascii": False}


class LoginNeededError(Exception):
    """The page asked for needs a session."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page."""

    holder: Holder
    session: Session
    words: Words

    def about(self, deal: object) -> Visitor:
        """The same visitor, told of a deal where this is one (or names the lead it is of), else of a lead."""
        return replace(self, words=self.words.about(deal))


def is_page(request: Request) -> bool:
    """Whether errors of this request are shown as a page, not as problem details."""
    return is_page_path(request.url.path)


def words_of(request: Request, settings_language: str | None = None) -> Words:
    """The reader's language: `?lang=`, else the cookie, else `Accept-Language`, else the settings."""
    for wanted in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wanted in LANGUAGES:
            return Words(wanted)
    return Words(language_of(request, door_of(request).settings))


async def visiting(request: Request, door: TheDoor) -> Visitor:
    """The visitor of a session. Raises LoginNeededError."""
    session = door.sessions.open(request.cookies.get(COOKIE))
    holder = await door.book.holder(session.token_hash) if session else None
    if session is None or holder is None or holder.role == "adapter":
        raise LoginNeededError
    return Visitor(holder, session, words_of(request))


Visiting = Annotated[Visitor, Depends(visiting)]


async def read_fields(request: Request) -> dict[str, str]:
    """The fields of a plain HTML form, the last of each name. Raises ProblemError: 415, 413, 422."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ProblemError(415, "media-type", "pages take application/x-www-form-urlencoded")
    raw = await read_body(request, FORM_BYTES)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FORM_FIELDS)
    except ValueError:
        raise ProblemError(422, "invalid", "body: not percent-encoded UTF-8, or too many fields") from None
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise ProblemError(422, "nul", "body: a text may not hold the NUL character")
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def check_origin(request: Request) -> None:
    """Raises ProblemError (403) when the browser says that the form came from elsewhere."""
    headers = request.headers
    if not from_our_page(headers.get("origin"), headers.get("sec-fetch-site"), headers.get("host")):
        raise ProblemError(403, "foreign-form", "this form did not come from a page of ours; open the page and repeat")


async def posted(request: Request, visitor: Visitor) -> dict[str, str]:
    """The fields of a form that one of our pages made for this session. Raises ProblemError (403) for any other."""
    check_origin(request)
    fields = await read_fields(request)
    if not same_csrf(visitor.session, fields.pop("csrf", None)):
        raise ProblemError(403, "foreign-form", "this form is not of your session; open the page again and repeat")
    return fields


def render(request: Request, visitor: Visitor, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for a visitor."""
    return _rendered(request, visitor.words, template, status, visitor=visitor, csrf=visitor.session.csrf, **values)


def render_plain(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for anybody."""
    return _rendered(request, words_of(request), template, status, visitor=None, csrf="", **values)


def _rendered(request: Request, words: Words, template: str, status: int, **values: Any) -> HTMLResponse:
    door = door_of(request)
    text = templates.get_template(template).render(
        t=words,
        tell=telling(door, words),
        zone=door.settings.time_zone,
        demo=door.demo,
        path=request.url.path,
        page_path=values.pop("page_path", request.url.path),
        new_key=lambda: str(uuid4()),
        **values,
    )
    response = HTMLResponse(text, status)
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, words.language, max_age=LANGUAGE_SECONDS, samesite="lax", httponly=True)
    return response


def telling(door: Door, words: Words) -> Telling:
    """How values are shown to this reader."""
    return Telling(words, ZoneInfo(door.settings.time_zone))


def error_page(request: Request, error: ProblemError) -> Response:
    """An error as a page; what a program would read stands below it."""
    words = words_of(request)
    said = words.get(f"error.{error.status}", words("error.other"))
    response = render_plain(request, "error.html", status=error.status, said=said, error=error, page_path="/")
    response.headers.update(error.headers)
    return response


async def to_login(request: Request, error: Exception) -> Response:
    """Send a visitor without a session to sign in, and from there back to the page asked for."""
    assert isinstance(error, LoginNeededError)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    onward = local_path(asked) if request.method == "GET" else "/"
    return RedirectResponse("/login" + (f"?next={quote(onward, safe='/')}" if onward != "/" else ""), 303)


@router.get("/login")
async def login_page(request: Request, next: str | None = None) -> HTMLResponse:  # noqa: A002 - the query's name
    """The sign-in form."""
    return render_plain(request, "login.html", onward=local_path(next), said=None)


@router.post("/login")
async def login(request: Request, door: TheDoor) -> Response:
    """Sign in with a token: a session cookie, and on to the page asked for."""
    check_origin(request)
    fields = await read_fields(request)
    onward, words = local_path(fields.get("next")), words_of(request)
    token = fields.get("token", "").strip()
    holder = await door.book.holder(hash_of(token)) if 0 < len(token) <= TOKEN_CHARACTERS else None
    if holder is None or holder.role == "adapter":
        said = words("login_wrong" if holder is None else "login_adapter")
        return render_plain(request, "login.html", status=403, onward=onward, said=said)
    response = RedirectResponse(onward, 303)
    response.set_cookie(
        COOKIE,
        door.sessions.new(holder.token_hash),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


@router.post("/logout")
async def logout(request: Request, visitor: Visiting) -> Response:
    """End the session in this browser."""
    await posted(request, visitor)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response

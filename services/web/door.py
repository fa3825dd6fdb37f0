"""What every route stands on, and who is asking it.

Invariants: a route that reads or changes anything takes `Asking` (a token) and says which roles it is for; the API looks at
the `Authorization` header alone, never at cookies, so no page elsewhere can use a session through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from asyncpg import InterfaceError
from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime

from contracts.inbound import Channel
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from projections.board import store as board
from services.channels.demo_out import DemoOut
from services.channels.http import Sender
from services.channels.intake import Intake
from services.channels.journal import Journal
from services.channels.limits import RateLimit, peer_of
from services.channels.refusals import Refusals
from services.clock import Clock
from services.database import Database, Pool
from services.health import Health
from services.leads.domain.state import LeadState
from services.leads.reading import lead_state
from services.pipelines import registry
from services.privacy.store import KeyRing
from services.settings import Settings
from services.web.forwarding import LeadsDoor
from services.web.problems import ProblemError
from services.web.sessions import Sessions
from services.web.tokens import POST_INBOUND, Holder, TokenBook, unauthorised

AT_LEAST_SECONDS = 2.0
"""How long a read waits for its projection to reach `at_least`."""

_BEARER = HTTPBearer(auto_error=False, description="A token made with `leadline token --as NAME --role ROLE`")


@dataclass(frozen=True)
class Door:
    """The parts the routes use; one per application."""

    settings: Settings
    pool: Pool
    ring: KeyRing
    clock: Clock
    health: Health
    book: TokenBook
    sessions: Sessions
    leads: LeadsDoor
    intake: Intake
    refusals: Refusals
    token_limit: RateLimit
    peer_limit: RateLimit
    journal: Journal
    demo: bool = False
    demo_out: DemoOut | None = None
    """Where the demo's letters and short messages become files."""


def door_of(request: Request) -> Door:
    """The application's parts."""
    door: Door = request.app.state.door
    return door


TheDoor = Annotated[Door, Depends(door_of)]


async def asking(
    request: Request,
    door: TheDoor,
    _shown: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Holder:
    """The holder of the request's token. Raises ProblemError (401) without a good one."""
    holder = await door.book.of_bearer(request.headers.get("authorization"))
    if holder is None:
        raise unauthorised("give a token in the header Authorization: Bearer TOKEN; leadline token makes one")
    return holder


Asking = Annotated[Holder, Depends(asking)]
AtLeast = Annotated[
    int | None,
    Query(ge=1, description="Wait up to 2 s until the read side has this version of the lead; 503 `stale` otherwise"),
]

AsOf = Annotated[AwareDatetime | None, Query(description="As of this moment; left out: now")]
ByTime = Annotated[
    Literal["recorded", "happened"],
    Query(description="What `as_of` counts: recorded (what was known then) or happened (what is known now of then)"),
]


async def admit(request: Request, channel: Channel, form: str) -> Sender:
    """Who posts to this channel: a token's holder, or, where the settings open it, the client. Raises ProblemError."""
    door = door_of(request)
    holder = await door.book.of_bearer(request.headers.get("authorization"))
    if holder is not None:
        holder.must(POST_INBOUND, "post inbound messages")
        return Sender(holder.actor, f"token:{holder.token_hash.hex()}", door.token_limit, holder.name)
    if is_open(door.settings, channel, form):
        actor = Actor(id=f"{channel}:{form or 'open'}"[:100], kind="client")
        return Sender(actor, f"peer:{peer_of(request.client.host if request.client else None)}", door.peer_limit, "")
    what = "this form is" if channel == "form" else f"{channel}s are"
    raise unauthorised(f"{what} not open to all; give a token in the header Authorization: Bearer TOKEN")


def is_open(settings: Settings, channel: Channel, form: str) -> bool:
    """Whether anyone may post this form (`LEADLINE_OPEN_FORMS`) or visits (`LEADLINE_OPEN_VISITS`)."""
    if channel == "form":
        return form in settings.open_forms or "*" in settings.open_forms
    return channel == "visit" and settings.open_visits


def language_of(request: Request, settings: Settings) -> str:
    """`ru` or `en`, by `Accept-Language`; the settings decide where it says neither."""
    for part in request.headers.get("accept-language", "")[:200].split(","):
        wanted = part.partition(";")[0].strip().lower().partition("-")[0]
        if wanted in ("ru", "en"):
            return wanted
    return settings.language


async def wait_for(door: Door, lead: UUID, at_least: int | None) -> None:
    """Wait until the board has this version of the lead. Raises ProblemError (503 `stale`) when it does not come in time."""
    if at_least is not None and not await board.wait_for(door.pool, lead, at_least, AT_LEAST_SECONDS):
        raise ProblemError(
            503,
            "stale",
            f"the read side has not reached version {at_least} of this lead within {AT_LEAST_SECONDS:.0f} s; ask again, "
            "or without at_least for what there is",
            headers={"Retry-After": "1"},
        )


@contextmanager
def place_in_list() -> Iterator[None]:
    """Around a projection's paged read: what `after` held was none of our places. Raises ProblemError (422)."""
    try:
        yield
    except InterfaceError:
        raise
    except ValueError:
        raise ProblemError(
            422, "after", "query.after: this is not what a list gave as `next`; leave it out to begin"
        ) from None


def no_lead() -> ProblemError:
    """404 for a lead."""
    return ProblemError(404, "no-such-lead", "there is no lead of this id")


def not_yet() -> ProblemError:
    """404 for a lead that was not there at the moment asked for."""
    return ProblemError(404, "no-such-lead", "there was no lead of this id at that moment; leave as_of out for now")


async def state_and_pipeline(
    door: Door, connection: Database, lead: UUID, as_of: datetime | None = None, *, happened: bool = False
) -> tuple[LeadState, Pipeline]:
    """The lead from its events, now or as of a moment, and the pipeline version it stands in. Raises ProblemError (404)."""
    state = await lead_state(connection, door.ring, lead, as_of, happened=happened)
    if state is None:
        raise no_lead() if as_of is None else not_yet()
    return state, await registry.version(connection, state.pipeline, state.pipeline_number)


async def current_pipeline(connection: Database, pipeline: str) -> tuple[Pipeline, int]:
    """The pipeline in force. Raises ProblemError (404) naming those there are."""
    try:
        return await registry.current(connection, pipeline)
    except registry.NoSuchPipelineError as error:
        raise ProblemError(404, "no-such-pipeline", str(error)) from None

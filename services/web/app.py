"""The door's wiring: API, intake and pages in one FastAPI application, and the process that serves it and takes mail.

Invariants: nothing is loaded from elsewhere (no CDN in `/docs`, a strict CSP on every page); every error of the API is problem
details, every error of a page is a page. With Postgres away requests are answered 503 and readiness says so, the process stays.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import structlog
from asyncpg.exceptions import InvalidSchemaNameError, UndefinedTableError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from projections.reading import NotBuiltError
from services.channels.demo_out import DemoOut
from services.channels.errors import UnacceptableError
from services.channels.http import inbound_router
from services.channels.intake import Intake
from services.channels.journal import Journal
from services.channels.limits import RateLimit
from services.channels.mail.app import run_mail
from services.channels.refusals import Refusals
from services.clock import clock_of
from services.database import LOST, Pool, open_pool
from services.health import Health
from services.pipelines import registry
from services.privacy.cipher import TamperedError
from services.privacy.store import KeyRing
from services.serving import serve_http
from services.settings import Settings
from services.web import (
    api_automation,
    api_blobs,
    api_boards,
    api_capture,
    api_companies,
    api_deals,
    api_effects,
    api_forecast,
    api_funnels,
    api_incidents,
    api_intake,
    api_leads,
    api_merging,
    api_ops,
    api_people,
    api_pipelines,
    api_reports,
    api_tasks,
    demo_sms,
    docs,
    pages,
    pages_automation,
    pages_blobs,
    pages_board,
    pages_capture,
    pages_companies,
    pages_effects,
    pages_forecast,
    pages_funnel,
    pages_incidents,
    pages_intake,
    pages_lead,
    pages_move,
    pages_ops,
    pages_people,
    pages_pipelines,
    pages_playbook,
    pages_queue,
    pages_reports,
    pages_unsubscribe,
    pages_work,
)
from services.web.door import Door, admit
from services.web.forwarding import LeadsDoor
from services.web.problems import MEDIA_TYPE, Problem, ProblemError, away, of_validation
from services.web.sessions import Sessions
from services.web.shield import Shield
from services.web.tokens import TokenBook

POOL = 12
"""Connections to Postgres of one door."""
LOOK_SECONDS = 2.0
"""Between two looks at Postgres, for readiness."""

log = structlog.get_logger(__name__)


def create_app(
    settings: Settings,
    pool: Pool,
    ring: KeyRing,
    health: Health,
    *,
    leads: LeadsDoor | None = None,
    demo: bool = False,
    demo_out: DemoOut | None = None,
) -> FastAPI:
    """The application over an open pool. `leads`: another way to the aggregate service; `demo_out`: where the demo's letters and
    short messages become files. Raises ValueError for bad keys."""
    clock = clock_of(settings.clock, pool)
    door = Door(
        settings=settings,
        pool=pool,
        ring=ring,
        clock=clock,
        health=health,
        book=TokenBook(pool),
        sessions=Sessions(settings.pepper_bytes),
        leads=leads or LeadsDoor.at(settings.leads_url, settings.internal_token),
        intake=Intake(pool, clock, settings.master_key_bytes, settings.pepper_bytes),
        refusals=Refusals(pool, clock),
        token_limit=RateLimit(settings.rate_token, settings.rate_token_burst),
        peer_limit=RateLimit(settings.rate_peer, settings.rate_peer_burst),
        journal=Journal(pool, clock, ring, settings.pepper_bytes),
        demo=demo,
        demo_out=demo_out,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await door.refusals.settle()
        await door.leads.client.aclose()

    app = FastAPI(
        title="Leadline",
        version="1",
        summary="Leads from the first call to the signed deal: API of the door",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={
            "default": {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": "Problem details (RFC 9457)"}
        },
    )
    app.state.door = door
    app.add_middleware(Shield)
    _answer_errors(app)
    app.include_router(inbound_router(door.intake, admit, door.refusals))
    for api in (
        api_leads,
        api_deals,
        api_capture,
        api_boards,
        api_funnels,
        api_forecast,
        api_pipelines,
        api_automation,
        api_companies,
        api_people,
        api_merging,
        api_intake,
        api_blobs,
        api_effects,
        api_incidents,
        api_tasks,
        api_reports,
        api_ops,
    ):
        app.include_router(api.router)
    for part in (
        demo_sms,
        docs,
        pages,
        pages_board,
        pages_funnel,
        pages_work,
        pages_queue,
        pages_incidents,
        pages_reports,
        pages_forecast,
        pages_pipelines,
        pages_automation,
        pages_capture,
        pages_move,
        pages_lead,
        pages_companies,
        pages_people,
        pages_intake,
        pages_blobs,
        pages_ops,
        pages_effects,
        pages_playbook,
        pages_unsubscribe,
    ):
        app.include_router(part.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=str(resources.files("services.web").joinpath("static"))), name="static")
    return app


def _answer_errors(app: FastAPI) -> None:
    async def problem(request: Request, error: ProblemError) -> Response:
        if pages.is_page(request):
            return pages.error_page(request, error)
        return error.response()

    async def unacceptable(request: Request, error: Exception) -> Response:
        assert isinstance(error, UnacceptableError)
        return await problem(request, of_unacceptable(error))

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | ValidationError)
        return await problem(request, of_validation(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await problem(request, of_http(error))

    async def lost(request: Request, error: Exception) -> Response:
        log.warning("database away", error=type(error).__name__)
        return await problem(request, away("the database"))

    async def not_built(request: Request, error: Exception) -> Response:
        log.warning("a table is not there yet", error=type(error).__name__)
        return await problem(request, away("the read side (the service projections has not made its tables yet)"))

    async def tampered(request: Request, error: Exception) -> Response:
        log.error("a stored value does not open", error=type(error).__name__)
        return await problem(
            request,
            ProblemError(
                500, "tampered", "a stored value does not open under its key, somebody changed it; see: leadline verify"
            ),
        )

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return await problem(request, error)

    app.add_exception_handler(ProblemError, known)
    app.add_exception_handler(UnacceptableError, unacceptable)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    for kind in LOST:
        app.add_exception_handler(kind, lost)
    for missing in (UndefinedTableError, InvalidSchemaNameError, NotBuiltError):
        app.add_exception_handler(missing, not_built)
    app.add_exception_handler(TamperedError, tampered)
    app.add_exception_handler(pages.LoginNeededError, pages.to_login)


def of_unacceptable(error: UnacceptableError) -> ProblemError:
    """What intake would not take, as a problem."""
    where = {"errors": [{"where": error.where, "what": error.detail}]} if error.where else None
    again = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
    return ProblemError(error.status, error.code, error.detail, extra=where, headers=again)


def of_http(error: HTTPException) -> ProblemError:
    """What the framework refuses (no such path, wrong method, unreadable body), as a problem."""
    codes = {404: "no-such-path", 405: "method", 408: "too-slow", 413: "too-large", 400: "unreadable"}
    detail = str(error.detail)
    if error.status_code == 404:
        detail = "there is nothing at this path; /docs lists what there is"
    return ProblemError(error.status_code, codes.get(error.status_code, "http"), detail, headers=error.headers)


async def run(settings: Settings, health: Health, stop: asyncio.Event) -> None:
    """Serve on `settings.http_host:http_port`, and take mail where that is set, until `stop`; open requests get to end.

    Raises when a port is taken.
    """
    health.expect("database")
    health.expect("http")
    pool = await open_pool(
        settings.database_url, service="door", largest=POOL, on_connect=registry.forget, cleaned=False
    )
    try:
        demo = os.environ.get("LEADLINE_DEMO") == "1"
        demo_out = DemoOut(Path(os.environ["LEADLINE_DATA"])) if demo and settings.demo_mail_port else None
        ring = KeyRing(settings.master_key_bytes)
        app = create_app(settings, pool, ring, health, demo=demo, demo_out=demo_out)
        looking = asyncio.create_task(_look(pool, health), name="door-looks-at-postgres")
        health.ready("http")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(serve_http(app, host=settings.http_host, port=settings.http_port, stop=stop))
                group.create_task(run_mail(settings, app.state.door.intake, health, stop))
                if demo_out is not None and settings.demo_mail_port is not None:
                    group.create_task(demo_out.serve("127.0.0.1", settings.demo_mail_port, health, stop))
        except BaseExceptionGroup as failed:
            raise _first(failed) from None
        finally:
            health.unready("http", "stopped")
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    finally:
        try:
            await asyncio.wait_for(pool.close(), settings.stop_within)
        except TimeoutError:
            pool.terminate()


def _first(failed: BaseException) -> BaseException:
    """The error that ended the others."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed


async def _look(pool: Pool, health: Health) -> None:
    """Keep the readiness of `database` true to life."""
    while True:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                async with pool.acquire() as connection:
                    await connection.fetchval("SELECT 1")
            health.ready("database")
        except LOST as error:
            health.unready("database", f"Postgres does not answer: {type(error).__name__}")
        await asyncio.sleep(LOOK_SECONDS)

"""Moving a lead: what is missing for a stage as one form, sent with the move in one act; a head's way past the rules (N9, N10).

Invariants: choosing a stage changes nothing; what is asked for is exactly what the one `check` says is missing; a refused move,
from whichever page, ends here with the reason in words and what was typed still there.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contracts.commands import Missing
from contracts.pipeline import Stage
from services.web.door import TheDoor
from services.web.forms import FormMaker
from services.web.inputs import Form
from services.web.lead_view import FILLABLE, Attempt, Looked, look
from services.web.pages import Visiting, Visitor, render
from services.web.problems import ProblemError
from services.web.sessions import local_path
from services.web.shapes import check_out
from services.web.shapes_card import not_theirs
from services.web.tokens import COMMAND

router = APIRouter()


@router.get("/leads/{lead}/move")
async def move_page(
    request: Request,
    door: TheDoor,
    visitor: Visiting,
    lead: UUID,
    to: Annotated[str, Query(min_length=1, max_length=60)],
    back: Annotated[str, Query(max_length=900)] = "",
) -> HTMLResponse:
    """What the lead lacks for this stage, as a form."""
    visitor.holder.must(COMMAND, "move leads")
    looked = await look(door, lead)
    stage = looked.pipeline.by_id.get(to)
    if stage is None:
        raise ProblemError(404, "no-such-stage", "the lead's pipeline has no such stage")
    return await show_move(request, visitor, looked, stage, back=local_path(back, ""))


async def show_move(
    request: Request,
    visitor: Visitor,
    looked: Looked,
    stage: Stage,
    attempt: Attempt | None = None,
    back: str = "",
) -> HTMLResponse:
    """The page: a form for the stage's kind. `attempt`: the move that was refused."""
    visitor = visitor.about(looked.state.deal_of)
    state, pipeline, words = looked.state, looked.pipeline, visitor.words
    maker = FormMaker(pipeline, words, visitor.holder.role, state)
    answer = check_out(state, stage.id, pipeline)
    closing: Form | None = None
    asked: list[Form] = []
    elsewhere: list[str] = []
    if stage.kind == "lost":
        closing = maker.reject(stage.id)
    elif stage.kind == "postponed":
        closing = maker.pause(stage.id)
    else:
        asked, elsewhere = _asked(maker, answer.missing)
    theirs = not_theirs(state, pipeline, stage, visitor.holder.role)
    fillable = FILLABLE.issuperset(answer.rules) and theirs is None
    against = " ".join(words.of(part) for part in (theirs, None if answer.allowed else answer) if part is not None)
    return render(
        request,
        visitor,
        "lead_move.html",
        status=attempt.status if attempt else 200,
        page_path=f"/leads/{state.lead}",
        state=state,
        stage=stage,
        here=pipeline.by_id.get(state.stage),
        answer=answer,
        asked=asked,
        elsewhere=elsewhere,
        closing=closing,
        may_send=fillable and (answer.allowed or (bool(asked) and not elsewhere)),
        said=against if not fillable and not closing else "",
        may_override=visitor.holder.role == "head"
        and (answer.overridable or answer.allowed)
        and not (answer.allowed and theirs is None),
        attempt=attempt,
        given=attempt.given if attempt else {},
        back=back,
    )


def _asked(maker: FormMaker, missing: list[Missing]) -> tuple[list[Form], list[str]]:
    """What can be filled in along with the move, and, in words, what cannot."""
    forms = maker.missing(missing)
    asked = [form for form in forms if not form.closed and form.command != "complete"]
    elsewhere = [
        f"{form.title}: {form.closed or maker.words('closed.task')}"
        for form in forms
        if form.closed or form.command == "complete"
    ]
    elsewhere += [maker.words.of(lack) for lack in missing if maker.for_missing(lack) is None]
    return asked, elsewhere

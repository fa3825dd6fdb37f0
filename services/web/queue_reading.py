"""The head's queue, put together from what waits in six places: reviews, escalations, overdue deadlines and tasks, the pool, card
reviews, dead letters (N21, Q5-Q7, C4, Q11, R3).

Invariants: each thing stands there once; of each kind at most `MOST` are read, the longest waiting first where the place it
waits in can say so, and `cut` names the kinds of which there are more. The order is `services.web.queue_order`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from contracts.pipeline import Pipeline, Titles
from contracts.team import Team
from projections.board import store as board
from projections.board.store import Card
from projections.funnel.came_from.store import came_from
from projections.incidents import heads, reading
from projections.tasks import reading as work
from projections.tasks import reviews as judging
from services.database import Database
from services.delivery.telling import store as ledger
from services.pipelines.robot_words import robot_titles
from services.web import store
from services.web.pipelines_in_force import in_force
from services.web.pools import of_head, pool_now, pools
from services.web.queue_order import Kind, Standing, Waiting, first_currency, ordered
from services.web.team_view import people_of_head, teams_in_force
from services.web.telling_deadlines import POOL

MOST = 200
"""Things of each kind that are read."""
LOOKED_AT = 10
"""Incidents of an escalation whose leads say how near to the decision it stands."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Something in the queue. `who`: whose it is; `titles`: what is waited for, where it has a name; `detail`: more of it,
    by kind (the strike of an escalation, the reason of a review)."""

    waiting: Waiting
    lead: UUID | None = None
    name: str | None = None
    pipeline: str | None = None
    stage: str | None = None
    stage_titles: Titles | None = None
    amount: Decimal | None = None
    currency: str | None = None
    who: str | None = None
    titles: Titles | None = None
    detail: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue in its order. `currency`: whose amounts come first; `cut`: kinds of which more wait than are shown."""

    items: list[Queued]
    currency: str | None
    cut: list[Kind]


async def queue_of(connection: Database, head: str | None, now: datetime) -> Queue:
    """What waits for a head: the work of the people of their teams, and these teams' pools; None: of all heads."""
    teams = await teams_in_force(connection)
    people = people_of_head(teams, head) if head is not None else None
    building = _Building(connection, now)
    await building.learn_pipelines()
    await building.reviews(people)
    await building.escalations(head)
    await building.deadlines(people)
    await building.tasks(people)
    await building.pool(head, teams)
    await building.card_reviews(head)
    await building.dead_letters()
    found = {id(item.waiting): item for item in building.items}
    order = ordered(item.waiting for item in building.items)
    return Queue([found[id(waiting)] for waiting in order], first_currency(order), building.cut)


class _Building:
    """The queue while it is put together."""

    def __init__(self, connection: Database, now: datetime) -> None:
        self.connection, self.now = connection, now
        self.pipelines: dict[str, Pipeline] = {}
        self.items: list[Queued] = []
        self.cut: list[Kind] = []
        self._timers: set[tuple[UUID, str]] = set()

    async def learn_pipelines(self) -> None:
        self.pipelines = await in_force(self.connection, await store.pipelines(self.connection))

    async def reviews(self, people: Sequence[str] | None) -> None:
        """Leads made poor by these people's work, or by nobody's."""
        found, more = await judging.waiting(self.connection, limit=MOST)
        self._cut("review", more)
        before = await came_from(self.connection, ((review.lead, review.visit) for review in found))
        for review in found:
            if people is not None and review.judged is not None and review.judged not in people:
                continue
            stage = before.get(review.lead, review.stage)
            standing = self._standing(review.pipeline, stage, review.amount, review.currency)
            status = self._stage(review.pipeline, review.status)
            self._add(
                Waiting("review", review.lead, review.opened_at, standing),
                review,
                stage=stage,
                who=review.judged,
                titles=status,
                detail={"automatic": review.automatic, "reason": self._reason(review)},
            )

    async def escalations(self, head: str | None) -> None:
        found, more = await heads.escalations(self.connection, manager=head, limit=MOST)
        self._cut("escalation", more)
        for escalation in found:
            cards = await self._cards(await self._leads_of(escalation))
            standing = tuple(s for card in cards for s in self._standing_of(card))
            self.items.append(
                Queued(
                    Waiting("escalation", escalation.escalation, escalation.opened_at, standing),
                    who=escalation.employee,
                    detail={
                        "strike": escalation.strike,
                        "days": escalation.days,
                        "incidents": len(escalation.incidents),
                        "manager": escalation.manager,
                    },
                )
            )

    async def _leads_of(self, escalation: heads.Escalation) -> list[UUID]:
        members = escalation.incidents[-LOOKED_AT:]
        found = [await reading.incident(self.connection, member.incident) for member in members]
        return [incident.lead for incident in found if incident is not None and incident.lead is not None]

    async def deadlines(self, people: Sequence[str] | None) -> None:
        """Those not done in time: an instant that has come, or a turn after a miss."""
        overdue, more = await work.deadlines(self.connection, people=people, due_before=self.now, limit=MOST)
        missed, more_missed = await work.deadlines(self.connection, people=people, missed=True, limit=MOST)
        self._cut("deadline", more or more_missed)
        for running in {turn.timer: turn for turn in (*overdue, *missed)}.values():
            self._timers.add((running.lead, running.deadline))
            if running.deadline == POOL:
                continue
            titles = robot_titles(running.deadline, self.pipelines.get(running.pipeline))
            standing = self._standing(running.pipeline, running.stage, running.amount, running.currency)
            self._add(
                Waiting("deadline", running.timer, running.missed_since or running.due_at, standing),
                running,
                stage=running.stage,
                who=running.responsible,
                titles=titles,
                detail={"turn": running.turn, "misses": running.misses, "due_at": running.due_at},
            )

    async def tasks(self, people: Sequence[str] | None) -> None:
        """Overdue ones; what stands for a deadline that is there already is left out."""
        wanted = work.TasksWanted(people=people, due_before=self.now)
        found, more = await work.tasks(self.connection, wanted, limit=MOST)
        self._cut("task", more)
        for task in found:
            if (task.lead, task.deadline or "") in self._timers:
                continue
            standing = self._standing(task.pipeline, task.stage, task.amount, task.currency)
            self._add(
                Waiting("task", task.activity, task.due_at or self.now, standing),
                task,
                stage=task.stage,
                who=task.doer,
                detail={"kind": task.kind, "moved": task.moved},
            )

    async def pool(self, head: str | None, teams: Mapping[str, Team]) -> None:
        """Open leads that nobody is responsible for, in the pools that the head looks after."""
        of = pools(self.pipelines, teams)
        wanted = list(of) if head is None else of_head(head, teams, of)
        waiting, more = await pool_now(self.connection, self.pipelines, wanted, MOST)
        self._cut("pool", more)
        for card in waiting:
            names = sorted(of.get(card.pipeline, ()))
            known = [teams[name].titles for name in names if name in teams]
            self._add(
                Waiting("pool", card.lead, card.entered_at, self._standing_of(card)),
                card,
                stage=card.stage,
                who=None,
                titles=Titles(ru=", ".join(t.ru for t in known), en=", ".join(t.en for t in known)) if known else None,
                detail={"teams": names},
            )

    async def card_reviews(self, head: str | None) -> None:
        for review in await heads.card_reviews(self.connection, head, self.now):
            known = self.pipelines.get(review.pipeline)
            self.items.append(
                Queued(
                    Waiting("card_review", review.review, review.asked_at),
                    pipeline=review.pipeline,
                    titles=known.titles if known else Titles(ru=review.pipeline, en=review.pipeline),
                    detail={"from": review.period_start, "to": review.period_end},
                )
            )

    async def dead_letters(self) -> None:
        found = await ledger.listed(self.connection, "failed", MOST + 1)
        self._cut("dead_letter", "more" if len(found) > MOST else None)
        cards = {card.lead: card for card in await self._cards([told.stream for told in found])}
        for told in found[:MOST]:
            card = cards.get(told.stream)
            standing = self._standing_of(card) if card is not None else ()
            waiting = Waiting("dead_letter", told.effect, told.closed_at or told.requested_at, standing)
            detail = {"kind": told.effect_kind, "reason": told.last_reason, "provider": told.provider}
            if card is not None:
                self._add(waiting, card, stage=card.stage, who=card.responsible, detail=detail)
            else:
                self.items.append(Queued(waiting, detail=detail))

    async def _cards(self, leads: Iterable[UUID]) -> list[Card]:
        ids = list(dict.fromkeys(leads))
        if not ids:
            return []
        cards, _ = await board.leads(self.connection, board.Chosen(ids=ids), limit=len(ids))
        return cards

    def _add(
        self,
        waiting: Waiting,
        of: judging.Review | work.Running | work.Task | Card,
        *,
        stage: str,
        who: str | None,
        titles: Titles | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        self.items.append(
            Queued(
                waiting,
                lead=of.lead,
                name=of.name,
                pipeline=of.pipeline,
                stage=stage,
                stage_titles=self._stage(of.pipeline, stage),
                amount=of.amount,
                currency=of.currency,
                who=who,
                titles=titles,
                detail=detail,
            )
        )

    def _standing_of(self, card: Card) -> tuple[Standing, ...]:
        return self._standing(card.pipeline, card.stage, card.amount, card.currency)

    def _standing(
        self, pipeline: str, stage: str, amount: Decimal | None, currency: str | None
    ) -> tuple[Standing, ...]:
        known = self.pipelines.get(pipeline)
        if known is None:
            return ()
        place = known.place(stage)
        return (Standing(known.places - place if place is not None else known.places, amount, currency),)

    def _stage(self, pipeline: str, stage: str) -> Titles | None:
        known = self.pipelines.get(pipeline)
        found = known.by_id.get(stage) if known else None
        return found.titles if found else None

    def _reason(self, review: judging.Review) -> Titles | None:
        known = self.pipelines.get(review.pipeline)
        stage = known.by_id.get(review.status) if known else None
        reason = stage.reason(review.reason) if stage and review.reason else None
        return reason.titles if reason else None

    def _cut(self, kind: Kind, more: str | None) -> None:
        if more is not None:
            self.cut.append(kind)

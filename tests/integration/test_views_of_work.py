"""Journals, tasks, deadlines, reviews and response times from real topics to what pages and BI read (Q5-Q7, Q9, Q11, D6, S2, S6),
rebuilt the same, and held against the events by `verify` (M2, M8); an erasure leaves nothing personal in them (M7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from contracts import events as e
from contracts.meta import Actor
from projections.all import PROJECTIONS
from projections.board import store as board
from projections.card_use import reading as card_use
from projections.incidents import heads
from projections.incidents import reading as incidents
from projections.incidents.reading import Wanted
from projections.rebuild.run import rebuild
from projections.response import reading as response
from projections.response.reading import ArrivalsWanted
from projections.response.times import grouped
from projections.tasks import reading as tasks
from projections.tasks import reviews
from projections.tasks.reading import TasksWanted
from services.calendars.calendar import Calendar, Hours
from services.database import Pool
from services.ops.verify.run import verify
from services.privacy.store import KeyRing
from services.settings import Settings
from tests.builders import START, Keys, Stream, contact, enter, lead
from tests.builders_of_work import HEAD, HOUR, TERM, arrived, journal, note, planned, recorded, turn, whole_journal
from tests.eventlog_builders import Relay, write
from tests.integration.test_projections import projections, seen

pytestmark = pytest.mark.kafka

ANNA = Actor(id="anna", kind="person")


class World:
    """Streams in the store and on the topics, read by the projections."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings, self.pool, self.keys = settings, pool, Keys()

    async def happen(self, *streams: Stream) -> None:
        """Append what is new of these streams; wait until the projections have it."""
        await self.keys.store(self.pool, self.settings)
        for stream in streams:
            await write(self.pool, stream.made)
            stream.made.clear()
        await seen(self.pool, *streams)

    async def is_right(self) -> None:
        """Every projection is rebuilt the same, and `verify` finds nothing."""
        report = await verify(self.settings, range_events=7)
        found = [str(d) for d in report.differences if d.place == "projection"]
        assert found == []
        for projection in PROJECTIONS:
            if projection.name in ("incidents", "tasks", "response"):
                ring = KeyRing(self.settings.master_key_bytes)
                made = await rebuild(self.pool, ring, projection, self.settings.kafka_partitions)
                assert made.comparison is not None
                assert made.comparison.equal, made.comparison.named


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[None]:
    async with Relay(world.settings), projections(world.settings):
        yield


@pytest.fixture
def world(settings: Settings, pool: Pool) -> World:
    return World(settings, pool)


async def test_Q6_Q9_a_journal_is_read_with_both_verdicts_and_escalations(world: World) -> None:
    mine = journal(world.keys, "anna")
    other = journal(world.keys, "boris")
    async with at_work(world):
        first, second, third, late = (recorded(mine, "anna") for _ in range(4))
        silent = recorded(
            other, "boris", incident_kind="silent_channel", lead=None, rule="site", counts=False, cause="channel"
        )
        notice, escalation = uuid4(), uuid4()
        note(mine, e.NoticeRequested(effect=notice, to="anna", about="incident", incident=first, subject="с", text="т"))
        note(mine, e.NoticeFailed(effect=notice, attempts=3, reason="no_address: none"))
        note(mine, e.IncidentTold(incident=first, via="app", strike=1, of=3, days=30))
        note(mine, e.IncidentTold(incident=second, via="mail", strike=2, of=3, days=30))
        note(mine, e.IncidentTold(incident=third, via="mail", strike=3, of=3, days=30))
        note(
            mine,
            e.EscalationOpened(
                escalation=escalation, employee="anna", to="olga", strike=3, incidents=(first, second, third), days=30
            ),
        )
        await world.happen(mine, other)
        async with world.pool.acquire() as connection:
            assert [i.incident for i in await incidents.untold(connection, "anna")] == [late]
            assert [i.incident for i in await incidents.untold(connection, "boris")] == [silent]
            page, following = await incidents.journal(connection, "anna", limit=3)
            assert [i.incident for i in page] == [late, third, second]
            rest, none = await incidents.journal(connection, "anna", after=following, limit=3)
            assert ([i.incident for i in rest], none) == ([first], None)
            one = await incidents.incident(connection, first)
            assert one is not None
            assert (one.notice, one.escalation, one.told_via, one.state) == ("failed", escalation, "app", "open")
            assert (one.term, one.strike, one.strikes, one.days) == (TERM, 1, 3, 30)
            [opened], _ = await heads.escalations(connection, manager="olga")
            assert (opened.employee, opened.strike, len(opened.incidents)) == ("anna", 3, 3)
        note(mine, e.IncidentTold(incident=late, via="app", strike=4, of=3, days=30))
        note(mine, e.EscalationClosed(escalation=escalation, by="manager", comment="рано"), by=HEAD)
        note(mine, e.EscalationExtended(escalation=escalation, incident=late, strike=4))
        note(mine, e.IncidentAcknowledged(incident=first, comment="учту"), by=ANNA)
        note(mine, e.IncidentExcused(incident=second, reason="болел"), by=HEAD)
        note(
            mine,
            e.IncidentRestated(
                incident=third, verdict="in_time", due_at=mine.at + HOUR, calendar="sales@2", reason="праздник"
            ),
            by=HEAD,
        )
        note(
            mine,
            e.IncidentRestated(
                incident=late, verdict="stands", due_at=mine.at, calendar="sales@2", strike=2, reason="праздник"
            ),
            by=HEAD,
        )
        note(mine, e.NoticeRepeated(effect=notice, to="anna"), by=HEAD)
        note(mine, e.EscalationClosed(escalation=escalation, by="manager", comment="поговорили"), by=HEAD)
        await world.happen(mine)
        async with world.pool.acquire() as connection:
            found = {i.incident: i for i in (await incidents.journal(connection, "anna"))[0]}
            assert [found[i].state for i in (first, second, third, late)] == ["acknowledged", "excused", "open", "open"]
            assert [found[i].strike for i in (first, second, third, late)] == [1, 2, 3, 4], "the originals stay"
            assert found[first].notice == "requested", "it was asked for once more"
            assert [found[i].strike_now for i in (first, second, third, late)] == [1, None, None, 2]
            assert (await heads.escalations(connection, manager="olga"))[0] == []
            closed = await heads.escalation(connection, escalation)
            assert closed is not None
            assert (closed.closed_by, closed.closed_how, [m.strike for m in closed.incidents]) == (
                "olga", "manager", [None, None, None, 4],
            )  # fmt: skip
            [counted] = await incidents.counts(connection, Wanted(employee="anna"), "Europe/Moscow")
            assert (counted.misses, counted.strikes, counted.misses_now, counted.strikes_now) == (4, 4, 2, 2)
            assert (counted.week, counted.stage, counted.causes) == (date(2026, 3, 2), "new", {"person": 4})
            for wanted, those in (
                (Wanted(state="excused"), {second}),
                (Wanted(state="untold"), {silent}),
                (Wanted(strikes=True), {first, late}),
                (Wanted(kind="silent_channel"), {silent}),
                (
                    Wanted(employees=["anna"], stage="new", pipeline="classic", rule="take", state="acknowledged"),
                    {first},
                ),
                (Wanted(until=START), set()),
                (Wanted(since=START, lead=found[late].lead), {late}),
            ):
                assert {i.incident for i in (await incidents.incidents(connection, wanted))[0]} == those, wanted
        rows = await world.pool.fetch(
            "SELECT strike, restated_strike, verdict FROM bi.incidents WHERE employee = 'anna'"
        )
        assert sorted(tuple(row) for row in rows if row["verdict"]) == [(3, None, "in_time"), (4, 2, "stands")]
        whole = whole_journal(world.keys, "olga")
        await world.happen(whole)
        async with world.pool.acquire() as connection:
            [digest] = await heads.digests(connection, "olga", START)
            assert (digest.team, digest.overdue, digest.people) == ("sales", 3, {"anna": 2, "vera": 1})
            assert await heads.card_reviews(connection, "olga", START) == []
            [looked] = await heads.card_reviews(connection, "olga", START, pipeline="classic", open_only=False)
            assert (looked.journal, looked.done_by, looked.comment) == (whole.id, "olga", "убрали поле")
            assert await heads.card_reviews(connection, "anna", START, open_only=False) == []
        [row] = await world.pool.fetch(
            "SELECT employee, manager, incidents, closed_how FROM bi.escalations WHERE employee = 'anna'"
        )
        assert tuple(row) == ("anna", "olga", 4, "manager")
        await world.is_right()


async def test_D6_Q7_tasks_and_deadlines_are_of_whoever_is_responsible_now(world: World) -> None:
    person = contact(world.keys)
    one, two, three = (arrived(world.keys, person.id) for _ in range(3))
    now = START + 10 * HOUR
    late = planned(one, START + HOUR)
    later, never = planned(one, now + HOUR, key=True), planned(two, None)
    hers = planned(two, START + 2 * HOUR, assignee="vera")
    done = planned(three, START + HOUR, every=e.Every(days=7))
    three.add(e.ActivityDone(activity=done, activity_kind="call", reason="by_hand", result="Анна просит перезвонить"))
    again = planned(three, START + timedelta(days=7), reason="recurring", replaces=done, every=e.Every(days=7))
    first = turn(one, 1, START + HOUR, lacks=("name",))
    one.add(
        e.DeadlineMissed(
            **first,
            incident=uuid4(),
            responsible="anna",
            stage="new",
            lacks=("phone",),
            running=1,
            begun_at=START,
            term=TERM,
            late_ms=7,
        )
    )
    second = turn(one, 2, now + 2 * HOUR)
    met = turn(two, 1, now)
    two.add(e.DeadlineMet(**met, left_s=60))
    async with at_work(world):
        await world.happen(person, one, two, three)
        async with world.pool.acquire() as connection:
            page, following = await tasks.tasks(connection, TasksWanted(person="anna"), limit=2)
            assert [t.activity for t in page] == [late, later]
            rest, _ = await tasks.tasks(connection, TasksWanted(person="anna"), after=following)
            assert [t.activity for t in rest] == [again, never]
            assert [t.overdue(now) for t in page] == [True, False]
            [task], _ = await tasks.tasks(connection, TasksWanted(person="vera"))
            assert (task.activity, task.doer, task.responsible, task.name) == (hers, "vera", "anna", "Анна Иванова")
            overdue, _ = await tasks.tasks(connection, TasksWanted(people=["anna", "vera"], due_before=now))
            assert [t.activity for t in overdue] == [late, hers]
            assert [(t.activity, t.outcome) for t in await tasks.of_lead(connection, three.id)] == [
                (again, None), (done, "done"),
            ]  # fmt: skip
            [running], _ = await tasks.deadlines(connection, person="anna", missed=True)
            assert (running.timer, running.turn, running.misses) == (second["timer"], 2, 1)
            assert (running.missed_since, running.term) == (START + HOUR, TERM)
            assert [(d.outcome, d.lacks, d.missed_by) for d in await tasks.deadlines_of(connection, one.id)] == [
                (None, (), None), ("missed", ("phone",), "anna"),
            ]  # fmt: skip
            loads = {load.person: load for load in await tasks.load(connection, now, now + 3 * HOUR)}
            assert loads["anna"] == tasks.Load("anna", 3, 4, 1, 1, 1, 1)
            assert loads["vera"] == tasks.Load("vera", 0, 1, 1, 0, 0, 0)
        one.add(e.LeadAssigned(to="boris", previous="anna", reason="by_hand"))
        one.add(e.ActivityMoved(activity=late, activity_kind="call", due_at=now + HOUR, previous=START + HOUR, times=1))
        two.add(e.ActivityClosed(activity=hers, activity_kind="call", reason="lead_closed"))
        two.add(e.ActivityClosed(activity=never, activity_kind="call", reason="lead_closed"))
        await world.happen(one, two)
        two.add(e.ActivityPlanned(activity=never, activity_kind="call", reason="undone"))
        await world.happen(two)
        async with world.pool.acquire() as connection:
            page, _ = await tasks.tasks(connection, TasksWanted(person="boris"))
            assert {(t.activity, t.moved, t.first_due_at) for t in page} == {
                (late, 1, START + HOUR), (later, 0, now + HOUR),
            }  # fmt: skip
            assert [t.activity for t in (await tasks.tasks(connection, TasksWanted(person="anna")))[0]] == [
                again,
                never,
            ]
            [running], _ = await tasks.deadlines(connection, person="boris")
            assert (running.timer, running.responsible, running.counted_for) == (second["timer"], "boris", "anna")
            assert (await tasks.deadlines(connection, people=["anna"]))[0] == []
        [row] = await world.pool.fetch("SELECT doer, moved, outcome FROM bi.tasks WHERE activity = $1", late)
        assert tuple(row) == ("boris", 1, None)
        [row] = await world.pool.fetch(
            "SELECT term, working, lacks, outcome FROM bi.deadlines WHERE timer = $1", first["timer"]
        )
        assert tuple(row) == (4 * HOUR, True, ["phone"], "missed")
        await world.is_right()


async def test_Q5_S6_reviews_and_people_by_stages_are_counted(world: World) -> None:
    person = contact(world.keys)
    leads = [arrived(world.keys, person.id) for _ in range(4)]
    for number, stream in enumerate(leads):
        enter(stream, "price", 2, "new")
        stream.add(e.ReviewOpened(visit=2, status="price", automatic=number == 3, responsible="anna"))
    leads[0].add(e.ReviewConfirmed(visit=2, responsible="anna", comment="да, Анна Иванова отказалась"), actor=HEAD)
    leads[1].add(e.ReviewReturned(visit=2, responsible="anna", reason="позвоните Анне ещё раз"), actor=HEAD)
    leads[2].add(e.ReviewDropped(visit=2, by="reopened"))
    leads[2].add(e.ReviewOpened(visit=2, status="price", automatic=False, responsible="anna"))
    sold = lead(world.keys, person.id, stages=("new", "processing"))
    async with at_work(world):
        await world.happen(person, *leads, sold)
        until = START + timedelta(days=1)
        async with world.pool.acquire() as connection:
            waiting, _ = await reviews.waiting(connection)
            assert [(r.lead, r.judged, r.automatic) for r in waiting] == [
                (leads[3].id, "anna", True), (leads[2].id, "anna", False),
            ]  # fmt: skip
            by_hand, by_itself = await reviews.by_person(connection, START, until)
            assert (by_hand.confirmed, by_hand.returned, by_hand.waiting, by_hand.share_returned) == (1, 1, 1, 0.5)
            assert (by_itself.automatic, by_itself.waiting, by_itself.share_returned) == (True, 1, None)
            held = {h.stage: h for h in await board.people(connection, "classic")}
            assert (held["price"].count, held["price"].kind, held["price"].sums) == (4, "lost", {})
            assert (held["processing"].responsible, held["processing"].sums) == ("anna", {"RUB": Decimal("1000.50")})
        rows = await world.pool.fetch("SELECT stage, leads, amount FROM bi.people_stages ORDER BY stage")
        assert [tuple(row) for row in rows] == [("price", 4, None), ("processing", 1, Decimal("1000.50"))]
        rows = await world.pool.fetch("SELECT decision FROM bi.reviews ORDER BY decision")
        assert [row[0] for row in rows] == ["confirmed", "returned", None, None]
        await world.is_right()


async def test_S2_response_times_by_source_person_and_hour(world: World) -> None:
    person = contact(world.keys)
    morning, night = START, datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    day = Calendar("sales", 7, ZoneInfo("UTC"), ((Hours(time(9), time(18)),),) * 7)
    soon, slow, untouched = (
        arrived(world.keys, person.id, at=at, source=source)
        for at, source in ((morning, "site"), (night, "ads"), (night, "ads"))
    )
    by_hand = lead(world.keys, person.id)
    soon.add(e.LeadSeen(), happened_at=morning + timedelta(minutes=5), actor=ANNA)
    soon.add(e.LeadAccepted(), happened_at=morning + timedelta(minutes=10), actor=ANNA)
    call = {"inbound_id": uuid4(), "call_id": "7", "call_direction": "out", "number": "+79161234567"}
    soon.add(e.CallRecorded(**call, answered=False, started_at=morning + timedelta(minutes=20)))
    soon.add(e.CallUpdated(**call, answered=True, started_at=morning + timedelta(minutes=30)))
    slow.add(e.LeadAssigned(to="boris", previous="anna", reason="by_hand"))
    slow.add(e.LeadSeen(), happened_at=night + 14 * HOUR, actor=Actor(id="boris", kind="person"))
    slow.add(e.DocumentSent(document="proposal", name="Иванова.pdf"), actor=Actor(id="letter", kind="robot"))
    async with at_work(world):
        await world.happen(person, soon, slow, untouched, by_hand)
        wanted = ArrivalsWanted(START, START + timedelta(days=1))
        async with world.pool.acquire() as connection:
            found = await response.arrivals(connection, wanted)
            assert {a.lead for a in found} == {soon.id, slow.id, untouched.id}, "one made by hand has no response time"
            groups = {g.key: g for g in grouped(found, day, "source")}
            assert groups["site"].steps["contact"].median == 1_800
            seen_ = groups["ads"].steps["seen"]
            assert (groups["ads"].leads, seen_.reached, seen_.waiting) == (2, 1, 1)
            assert (seen_.median, seen_.working_median) == (14 * 3600, 3600), "from 9 o'clock on"
            assert groups["ads"].steps["contact"].reached == 0, "a robot's letter is no contact"
            people = {g.key: g for g in grouped(found, day, "person")}
            assert (people["anna"].leads, people["boris"].leads) == (3, 0)
            assert (people["anna"].steps["seen"].reached, people["boris"].steps["seen"].reached) == (1, 1)
            assert {g.key: g.leads for g in grouped(found, day, "hour")} == {"9": 1, "20": 2}
            page, following = await response.page(connection, ArrivalsWanted(START, wanted.until, lacks="seen"))
            assert ([a.lead for a in page], following) == ([untouched.id], None)
        rows = await world.pool.fetch(
            "SELECT seen_s, accepted_s, contact_s FROM bi.response_times WHERE source = 'site'"
        )
        assert [tuple(row) for row in rows] == [(300, 600, 1_800)]
        await world.is_right()


async def test_M7_Q11_the_cards_numbers_hold_no_values_and_an_erasure_leaves_nothing_personal(world: World) -> None:
    person, other = contact(world.keys), contact(world.keys, name="Борис", phone="+79990001122")
    leads = [arrived(world.keys, of) for of in (person.id, other.id, other.id, other.id, other.id)]
    for stream, answers in zip(
        leads,
        (
            [{"needs": "столешница для Анны"}],
            [{"needs": "шкаф"}],
            [{"needs": "declined"}],
            [{"needs": "ещё"}, {"needs": "unknown"}],
            [],
        ),
        strict=True,
    ):
        for values in answers:
            stream.add(e.CardRecorded(names=tuple(values), values=values))
        planned(stream, START)
    leads[1].add(e.ClientViewRecorded(ease=5, time=2, comfort=3, comment="Борис доволен"))
    leads[2].add(e.ClientViewRecorded(ease=2, time=2, comfort=4))
    asked = {"needs": frozenset({"new"}), "order_details": frozenset({"proposal"})}
    until = START + timedelta(days=1)
    async with at_work(world):
        await world.happen(person, other, *leads)
        async with world.pool.acquire() as connection:
            needs, details = await card_use.fields_in_use(connection, "classic", asked, START, until)
            assert (needs.asked, needs.filled, needs.declined, needs.unknown, needs.erased) == (5, 2, 1, 1, 0)
            assert (needs.fill_rate, needs.median_s) == (0.4, 120)
            assert (details.asked, details.fill_rate, details.median_s) == (0, None, None)
            view = await card_use.client_view(connection, "classic", START, until)
            assert (view.said, view.ease, view.time, view.comfort) == (2, 3.5, 2.0, 3.5)
        rows = await world.pool.fetch("SELECT answer, count(*) FROM bi.card_fields GROUP BY 1 ORDER BY 1")
        assert [tuple(row) for row in rows] == [("declined", 1), ("filled", 2), ("unknown", 1)]
        person.add(e.PersonErased(reason="asked"))
        del world.keys.keys[person.id]
        await world.pool.execute("UPDATE vault.keys SET wrapped = NULL, destroyed_at = now() WHERE id = $1", person.id)
        await world.happen(person)
        async with world.pool.acquire() as connection:
            needs, _ = await card_use.fields_in_use(connection, "classic", asked, START, until)
            assert (needs.filled, needs.erased, needs.fill_rate) == (1, 1, 0.25)
            [task] = await tasks.of_lead(connection, leads[0].id)
            assert task.name is None
        for schema in ("incidents", "tasks", "response"):
            for table in await world.pool.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = $1", f"proj_{schema}_1"
            ):
                lines = await world.pool.fetch(f"SELECT t::text FROM proj_{schema}_1.{table[0]} AS t")
                text = " ".join(line[0] for line in lines)
                assert not any(word in text for word in ("Анн", "Иванов", "7916", "столешница", "Борис", "доволен"))
        await world.is_right()

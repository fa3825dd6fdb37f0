"""The board's pure rules against an oracle that knows nothing of them: it keeps facts, answers each question anew (K4, M7)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.events.deadlines import LeadPooled
from contracts.events.lead import LeadAdopted, LeadAssigned, LeadCaptured, StageEntered
from projections.board import projection as board
from projections.board.projection import BoardRows, Place, changes, place_of
from projections.event import Event

SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
START = datetime(2026, 3, 2, tzinfo=UTC)
STAGES = {"new": "open", "processing": "open", "converted": "won", "price": "lost", "paused": "postponed"}


def event(
    stream: str, version: int, type_: str, data: dict[str, Any], personal: dict[str, Any] | None = None, **more: Any
) -> Event:
    at = START + timedelta(minutes=version)
    return Event(
        **{
            "stream": stream, "version": version, "kind": "lead", "type": type_, "partition": int(stream[0], 16) % 3,
            "happened_at": at, "recorded_at": at, "actor": {"id": "anna", "kind": "person"}, "person": None, "data": data,
            "personal": personal or {}, "personal_json": None, "sealed": bool(personal), "erased": False, **more,
        }
    )  # fmt: skip


class Board(RuleBasedStateMachine):
    """Leads live and persons are erased; the board is applied in batches of any size, its counts and sums added up."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[tuple[str, str, dict[str, Any]]] = []  # the oracle's: (lead or contact, what, values)
        self.versions: Counter[str] = Counter()
        self.contact_of: dict[str, str] = {}
        self.waiting: list[Event] = []
        self.cards: dict[str, board.CardRow] = {}
        self.counts: Counter[tuple[str, str, int, str]] = Counter()
        self.sums: dict[tuple[str, str, int, str], Decimal] = {}

    def add(self, lead: str, type_: str, data: dict[str, Any], personal: dict[str, Any] | None = None) -> None:
        self.versions[lead] += 1
        gone = self.gone(self.contact_of[lead])
        sealed = bool(personal)
        self.waiting.append(
            event(
                lead,
                self.versions[lead],
                type_,
                data,
                None if gone else personal,
                sealed=sealed,
                erased=sealed and gone,
            )
        )

    def gone(self, contact: str) -> bool:
        return any(who == contact and what == "erased" for who, what, _ in self.facts)

    @rule(contact=st.integers(0, 3), name=st.sampled_from(["Анна", "Борис"]))
    def capture(self, contact: int, name: str) -> None:
        lead = str(uuid5(SPACE, f"lead{len(self.contact_of)}"))
        self.contact_of[lead] = str(uuid5(SPACE, f"contact{contact}"))
        data = {"pipeline": "classic", "contact": self.contact_of[lead], "channel": "form", "source": "site"}
        self.add(lead, LeadCaptured.TOPIC, data, {"name": name})
        self.facts.append((lead, "captured", {"name": name}))
        self._enter(lead, "new")

    def _enter(self, lead: str, stage: str) -> None:
        before = [v["stage"] for who, what, v in self.facts if who == lead and what == "entered"]
        data = {
            "stage": stage, "kind": STAGES[stage], "visit": len(before) + 1, "cause": "moved", "direction": "forward",
            **({"from_stage": before[-1], "from_visit": len(before)} if before else {}),
        }  # fmt: skip
        self.add(lead, StageEntered.TOPIC, data)
        self.facts.append((lead, "entered", {"stage": stage, "at": self.waiting[-1].happened_at}))

    @precondition(lambda self: self.contact_of)
    @rule(data=st.data(), stage=st.sampled_from(sorted(STAGES)))
    def move(self, data: st.DataObject, stage: str) -> None:
        lead = data.draw(st.sampled_from(sorted(self.contact_of)))
        if stage == "paused":
            self.add(lead, board.PAUSED, {"until": "2026-05-01"}, {"reason": "отпуск"})
        self._enter(lead, stage)

    @precondition(lambda self: self.contact_of)
    @rule(data=st.data(), pipeline=st.sampled_from(["classic", "repair"]))
    def adopt(self, data: st.DataObject, pipeline: str) -> None:
        """Another version or pipeline, in a stage of the same kind."""
        lead = data.draw(st.sampled_from(sorted(self.contact_of)))
        self.add(lead, LeadAdopted.TOPIC, {"pipeline": pipeline, "number": 2}, {"comment": "по новой"})
        self.facts.append((lead, "adopted", {"pipeline": pipeline}))
        stands = [values["stage"] for who, what, values in self.facts if who == lead and what == "entered"][-1]
        stage = data.draw(st.sampled_from(["", *(s for s in sorted(STAGES) if STAGES[s] == STAGES[stands])]))
        if stage:
            self._enter(lead, stage)

    @precondition(lambda self: self.contact_of)
    @rule(data=st.data(), amount=st.integers(1, 10**6), currency=st.sampled_from(["RUB", "EUR"]))
    def offer(self, data: st.DataObject, amount: int, currency: str) -> None:
        lead = data.draw(st.sampled_from(sorted(self.contact_of)))
        price = {"amount": f"{amount / 100:.2f}", "currency": currency}
        self.add(lead, board.OFFERED, {"price": price}, {"volume": "2"})
        self.facts.append((lead, "offered", price))

    @precondition(lambda self: self.contact_of)
    @rule(data=st.data(), name=st.sampled_from(["", "Вера"]))
    def record(self, data: st.DataObject, name: str) -> None:
        lead = data.draw(st.sampled_from(sorted(self.contact_of)))
        self.add(lead, board.RECORDED, {"names": ["name"]}, {"values": {"name": name}})
        self.facts.append((lead, "captured", {"name": name or None}))

    @rule(contact=st.integers(0, 3))
    def erase(self, contact: int) -> None:
        who = str(uuid5(SPACE, f"contact{contact}"))
        if not self.gone(who):
            self.facts.append((who, "erased", {}))
            self.waiting.append(event(who, 9, board.ERASED, {}, kind="contact"))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def apply(self, data: st.DataObject) -> None:
        """What the runner and the store do with a batch, in memory."""
        size = data.draw(st.integers(1, len(self.waiting)))
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        rows = BoardRows()
        for lead in {e.stream for e in batch if e.kind == "lead"} & self.cards.keys():
            rows.cards[lead] = replace(self.cards[lead])
            rows.before[lead] = place_of(self.cards[lead])
        for one in batch:
            board.apply(rows, one)
        pairs: list[tuple[Place | None, Place]] = [
            (rows.before.get(lead), place_of(rows.cards[lead])) for lead in rows.changed
        ]
        self.cards |= {lead: rows.cards[lead] for lead in rows.changed}
        for card in self.cards.values():
            if card.contact in rows.wiped and card.sealed and not card.erased:
                before = place_of(card)
                card.name, card.company, card.erased = None, None, True
                pairs.append((before, place_of(card)))
        counts, sums = changes(pairs)
        for key, (leads, erased) in counts.items():
            self.counts[(*key, "leads")] += leads
            self.counts[(*key, "erased")] += erased
        for place, amount in sums.items():
            self.sums[place] = self.sums.get(place, Decimal(0)) + amount

    @precondition(lambda self: not self.waiting)
    @invariant()
    def agrees(self) -> None:
        """From the facts alone, lead by lead."""
        counts: Counter[tuple[str, str, int, str]] = Counter()
        sums: dict[tuple[str, str, int, str], Decimal] = {}
        for lead, contact in self.contact_of.items():
            mine = [(what, values) for who, what, values in self.facts if who == lead]
            stages = [values["stage"] for what, values in mine if what == "entered"]
            offers = [values for what, values in mine if what == "offered"]
            erased = self.gone(contact)
            under = ["classic", *(values["pipeline"] for what, values in mine if what == "adopted")]
            key = (under[-1], stages[-1], int(lead[0], 16) % 3)
            counts[(*key, "leads")] += 1
            counts[(*key, "erased")] += erased
            if offers:
                place = (*key, offers[-1]["currency"])
                sums[place] = sums.get(place, Decimal(0)) + Decimal(offers[-1]["amount"])
            card = self.cards[lead]
            names = [values["name"] for what, values in mine if what == "captured"]
            assert card.name == (None if erased else names[-1])
            assert (card.stage, card.visit, card.version) == (stages[-1], len(stages), self.versions[lead])
            assert (card.paused_until is not None) == (stages[-1] == "paused")
            assert card.entered_at == [values["at"] for what, values in mine if what == "entered"][-1]
        assert +self.counts == +counts
        assert {k: v for k, v in self.sums.items() if v} == {k: v for k, v in sums.items() if v}


TestK4BoardAgreesWithItsOracle = Board.TestCase
TestK4BoardAgreesWithItsOracle.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_N11_time_in_stage_goes_on_after_a_correction() -> None:
    lead, since = str(SPACE), START + timedelta(minutes=1)
    rows = BoardRows()
    captured = {"pipeline": "classic", "contact": lead, "channel": "form", "source": "site"}
    board.apply(rows, event(lead, 1, LeadCaptured.TOPIC, captured))
    for version, stage, more in (
        (2, "new", {}),
        (3, "converted", {}),
        (4, "new", {"since": since.isoformat(), "undoes": 2}),
    ):
        entered = {"stage": stage, "kind": STAGES[stage], "visit": version - 1, **more}
        board.apply(rows, event(lead, version, StageEntered.TOPIC, entered))
    assert (rows.cards[lead].stage, rows.cards[lead].entered_at) == ("new", since)


def test_C4_the_card_of_a_lead_in_the_pool_is_nobodys() -> None:
    lead, rows = str(uuid5(SPACE, "lead")), BoardRows()
    data = {"pipeline": "classic", "contact": str(SPACE), "channel": "form", "source": "site"}
    board.apply(rows, event(lead, 1, LeadCaptured.TOPIC, data))
    for version, (type_, values, whose) in enumerate(
        (
            (LeadAssigned.TOPIC, {"to": "anna"}, "anna"),
            (LeadPooled.TOPIC, {"team": "sales@1", "previous": "anna"}, None),
            (LeadAssigned.TOPIC, {"to": "boris"}, "boris"),
        ),
        start=2,
    ):
        rows.touched.clear()
        board.apply(rows, event(lead, version, type_, values))
        assert (rows.cards[lead].responsible, rows.cards[lead].version, rows.touched) == (whose, version, {lead})

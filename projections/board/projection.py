"""The board's rules: what each event of a lead, a deal or a contact does to cards, counts and sums.

Pure. A deal has a card of its own in its own pipeline; who the client is stands on its lead's card, and is read from there where
the deal says nothing else. Invariants: a card shows the lead as of its last event; the amount is the price of the last offer;
counts and sums are derived from what a card was and is (`changes`), never counted up by hand, so that they always agree with the
cards. An erased person leaves the card, its stage and its amount: the numbers stay whole (M7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

from contracts.events import EVENT_TYPES
from contracts.events import contact as contact_events
from contracts.events import deal as deal_events
from contracts.events import lead as lead_events
from contracts.events.deadlines import LeadPooled
from projections.event import Event

CAPTURED = lead_events.LeadCaptured.TOPIC
ENTERED = lead_events.StageEntered.TOPIC
ASSIGNED, POOLED = lead_events.LeadAssigned.TOPIC, LeadPooled.TOPIC
OFFERED = lead_events.OfferMade.TOPIC
RECORDED = lead_events.CardRecorded.TOPIC
JOINED = lead_events.InboundJoined.TOPIC
PAUSED = lead_events.LeadPaused.TOPIC
ADOPTED = lead_events.LeadAdopted.TOPIC
LETTER = lead_events.LetterReceived.TOPIC
MERGED = lead_events.LeadMerged.TOPIC
UNMERGED = lead_events.LeadUnmerged.TOPIC
ERASED = contact_events.PersonErased.TOPIC
OPENED, WITHDRAWN, RESTORED = (
    event.TOPIC for event in (deal_events.DealOpened, deal_events.DealWithdrawn, deal_events.DealRestored)
)
CREATING = frozenset({CAPTURED, OPENED})
"""Events that a card begins with."""
TYPES = frozenset(t for t, cls in EVENT_TYPES.items() if cls.KIND in ("lead", "deal")) | {ERASED}
"""Every event of a lead or a deal."""
COUNTED = TYPES - {
    *(
        CAPTURED,
        ENTERED,
        ASSIGNED,
        POOLED,
        OFFERED,
        RECORDED,
        JOINED,
        LETTER,
        PAUSED,
        ADOPTED,
        MERGED,
        UNMERGED,
        ERASED,
    ),
    *(OPENED, WITHDRAWN, RESTORED),
}
"""Events that change nothing on a card but its version."""


@dataclass(slots=True)
class CardRow:
    """A card. `sealed`: an event of this lead carried personal data; `erased`: it cannot be read any more."""

    lead: str
    partition: int
    pipeline: str
    stage: str
    kind: str
    visit: int
    entered_at: datetime
    name: str | None
    company: str | None
    source: str
    channel: str
    form: str | None
    responsible: str | None
    amount: Decimal | None
    currency: str | None
    contact: str
    version: int
    captured_at: datetime
    paused_until: date | None
    sealed: bool
    erased: bool
    merged_into: str | None
    deal_of: str | None = None
    withdrawn: bool = False


CARD_COLUMNS = tuple(f.name for f in fields(CardRow))
MOVED_COLUMNS = ("stage", "kind", "visit", "entered_at", "paused_until", "version")
"""What a change of stage changes on a card."""


class Place(NamedTuple):
    """What counts and sums need of a card."""

    pipeline: str
    stage: str
    partition: int
    erased: bool
    amount: Decimal | None
    currency: str | None


@dataclass(slots=True)
class BoardRows:
    """The cards a batch touches, as they were (`before`) and are.

    A changed card stands in `touched` (any column), `moved` (`MOVED_COLUMNS` only) or `counted` (its version only).
    """

    cards: dict[str, CardRow] = field(default_factory=dict)
    before: dict[str, Place] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    wiped: set[str] = field(default_factory=set)

    @property
    def changed(self) -> set[str]:
        """Every card that is not as it was."""
        return self.touched | self.moved | self.counted


def place_of(card: CardRow) -> Place:
    """The card's share in counts and sums; a lead that was merged into another (N16), or a deal that was withdrawn (N12), stands
    in no stage."""
    nowhere = card.merged_into or card.withdrawn
    return Place(card.pipeline, "" if nowhere else card.stage, card.partition, card.erased, card.amount, card.currency)


def apply(rows: BoardRows, event: Event) -> None:
    """Let one event change the rows. Raises KeyError or ValueError for an event that misses what it must have."""
    kind = deal_events.AS_OF_LEADS.get(event.type, event.type)
    if kind == ERASED:
        _wipe(rows, event.stream)
        return
    if kind in CREATING:
        card = rows.cards[event.stream] = _captured(event)
        rows.touched.add(event.stream)
        return
    card = rows.cards[event.stream]
    data = event.data
    changed = rows.touched
    if kind in COUNTED:
        changed = rows.counted
    elif kind == ENTERED:
        _enter(card, event)
        changed = rows.moved
    elif kind in (ASSIGNED, POOLED):
        card.responsible = data.get("to")  # nobody may have a lead that waits in the pool
    elif kind == OFFERED:
        price = data["price"]
        card.amount, card.currency = Decimal(price["amount"]), price["currency"]
    elif kind == RECORDED:
        values = event.personal.get("values") or {}
        of_deal = card.deal_of is not None  # there an empty text says that there is none, whatever the lead says
        if "name" in values:
            card.name = values["name"] if of_deal else values["name"] or None
        if "company" in values:
            card.company = values["company"] if of_deal else values["company"] or None
    elif kind in (JOINED, LETTER) and event.person == card.contact:  # else of a merged contact, whose card has the name
        card.name = card.name or event.personal.get("name")
        card.company = card.company or event.personal.get("company")
    elif kind == MERGED:
        card.merged_into = data["into"]
    elif kind == UNMERGED:
        card.merged_into = None
    elif kind in (WITHDRAWN, RESTORED):
        card.withdrawn = kind == WITHDRAWN
    elif kind == PAUSED:
        card.paused_until = date.fromisoformat(data["until"])
    elif kind == ADOPTED:
        card.pipeline = data["pipeline"]
    if event.sealed:
        card.sealed = True
        if event.erased and event.person == card.contact:
            _wipe_card(card)
        changed = rows.touched
    card.version = event.version
    changed.add(event.stream)


def _captured(event: Event) -> CardRow:
    data = event.data
    return CardRow(
        lead=event.stream,
        partition=event.partition,
        pipeline=data["pipeline"],
        stage="",
        kind="open",
        visit=0,
        entered_at=event.happened_at,
        name=event.personal.get("name"),
        company=event.personal.get("company"),
        source=data["source"],
        channel=data["channel"],
        form=data.get("form"),
        responsible=None,
        amount=None,
        currency=None,
        contact=data["contact"],
        version=event.version,
        captured_at=event.happened_at,
        paused_until=None,
        sealed=event.sealed,
        erased=event.erased,
        merged_into=None,
        deal_of=data.get("lead"),
    )


def _enter(card: CardRow, event: Event) -> None:
    data = event.data
    card.stage, card.kind, card.visit, card.entered_at = data["stage"], data["kind"], data["visit"], event.happened_at
    if (since := data.get("since")) is not None:
        card.entered_at = datetime.fromisoformat(since)
    if card.kind != "postponed":
        card.paused_until = None


def _wipe(rows: BoardRows, contact: str) -> None:
    rows.wiped.add(contact)
    for card in rows.cards.values():
        if card.contact == contact and card.sealed:
            _wipe_card(card)
            rows.touched.add(card.lead)


def _wipe_card(card: CardRow) -> None:
    card.name = card.company = None
    card.erased = True


def changes(
    pairs: Iterable[tuple[Place | None, Place]],
) -> tuple[dict[tuple[str, str, int], tuple[int, int]], dict[tuple[str, str, int, str], Decimal]]:
    """What to add to counts (leads, erased) and to sums, from what each card's place was (None: no card) and is."""
    leads: Counter[tuple[str, str, int]] = Counter()
    erased: Counter[tuple[str, str, int]] = Counter()
    sums: dict[tuple[str, str, int, str], Decimal] = {}
    for before, after in pairs:
        if before == after:
            continue
        for sign, place in ((-1, before), (1, after)):
            if place is None or not place.stage:
                continue
            key = place[:3]
            leads[key] += sign
            erased[key] += sign * place.erased
            if place.amount is not None and place.currency is not None:
                sums[(*key, place.currency)] = sums.get((*key, place.currency), Decimal(0)) + sign * place.amount
    counts = {key: (leads[key], erased[key]) for key in leads if leads[key] or erased[key]}
    return counts, {key: amount for key, amount in sums.items() if amount}


def columns_of(rows: Iterable[Any], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The rows as one tuple per column, for `unnest`; there must be a row."""
    return list(zip(*map(attrgetter(*names), rows), strict=True))

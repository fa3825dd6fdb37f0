"""No sequence of commands brings a lead where the rules forbid it, but by a recorded override, correction, adoption or import,
each marked on the visit (K2, N10, N12, M3).

The oracle is the pipeline «workshop» told once more in plain Python: which step asks for what, who may, where one may go. It
never looks at `LeadState`, the pipeline's models or the rules.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid5

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts import commands as c
from contracts import events as e
from contracts.commands import Refusal
from contracts.meta import Actor
from services.leads.domain.adopting import Destination, adopt
from services.leads.domain.decide import Surroundings
from services.leads.domain.history import HistoryRow, advance
from tests.unit.given_pipeline import CONTACT, HEAD, LEAD, SELLER, WORKSHOP, Story

OPEN = ("found", "contact", "meeting", "closing")
LOST, PAUSED, WON = ("closed", "spam"), "waiting", "deal"
IMPORT = Actor(id="import:crm", kind="import")
ACTORS = st.sampled_from((SELLER, HEAD))


class Told:
    """What the oracle remembers of the lead: what was recorded, and where it stands."""

    def __init__(self) -> None:
        self.place = "found"
        self.back_to = "found"
        self.card: dict[str, str] = {}
        self.company = False
        self.facts: dict[str, tuple[str | None, int]] = {}
        self.visit = 1
        """Counts stays: a corrected mistake brings the former stay back."""
        self.stays = 1
        self.day, self.since = 0, 0
        """Today, and the day on which it came to where it stands: a correction brings the former one back."""
        self.undo: tuple[str, str, int, int] | None = None

    @property
    def since_days(self) -> int:
        return self.day - self.since

    def has(self, fact: str, value: str | None = None, *, here: bool = False) -> bool:
        if fact not in self.facts:
            return False
        found, stay = self.facts[fact]
        return (value is None or found == value) and (not here or stay == self.visit)

    def lacks(self, to: str) -> bool:
        """Whether something the step asks for is missing."""
        match self.place, to:
            case "found", "contact":
                return not (self.company and self.card.get("site"))
            case "contact", "meeting":
                card = self.card
                address = card.get("delivery") != "yes" or bool(card.get("address"))
                return not (card.get("length") and card.get("material") and address and self.has("interested"))
            case "meeting", "closing":
                return not self.has("meeting_held", here=True)
            case "closing", "deal":
                return not (self.has("contract") and self.has("approved") and self.has("paid"))
            case "waiting", ("meeting" | "closing"):
                return not self.has("won_again", here=True)
        return False

    def result_forbids(self, to: str) -> bool:
        if self.place not in OPEN or not self.has("meeting_held", here=True):
            return False
        return to != {"consent": "closing", "needs": "contact"}[self.facts["meeting_held"][0] or ""]

    def way(self, to: str) -> bool:
        """Whether there is such a way along the scale, whatever it asks for."""
        ways = {
            "found": {"contact"},
            "contact": {"found", "meeting"},
            "meeting": {"closing", "contact"},
            "closing": {"found", "contact", "meeting", "deal"},
            "waiting": {"meeting", "closing"},
        }
        return to in ways.get(self.place, set())

    def role_may(self, to: str, head: bool) -> bool:
        return head or not (self.place == "closing" or (self.place == "waiting" and to == "closing"))

    def enter(self, to: str, *, correction: bool = False) -> None:
        if not correction:
            self.undo = (self.place, self.back_to, self.visit, self.since)
        if self.place in OPEN and to not in OPEN:
            self.back_to = self.place
        self.stays += 1
        self.place, self.visit, self.since = to, self.stays, self.day


class Engine(RuleBasedStateMachine):
    """Commands go to the domain; the oracle says beforehand whether they must be done."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.told = Told()
        self.version = 1
        self.marked = dict.fromkeys(("correction", "adoption", "import"), 0)

    def give(self, name: str, must: bool, **body: Any) -> bool:
        before = list(self.story.events)
        answer = self.story.give(name, **body)
        done = not isinstance(answer, Refusal)
        assert done == must, f"{name} {body} in {self.told.place}: {answer if not done else 'done'}"
        if not done:
            assert self.story.events == before, "a refusal changes nothing"
        return done

    def on_by_itself(self) -> None:
        """After something was recorded: found goes on by itself once company and site are there."""
        if self.told.place == "found" and not self.told.lacks("contact") and not self.told.result_forbids("contact"):
            self.told.enter("contact")

    def is_open(self) -> bool:
        return self.told.place in OPEN

    @rule(
        fields=st.dictionaries(
            st.sampled_from(["site", "length", "material", "delivery", "address", "company", "budget"]),
            st.sampled_from(["", "ok"]),
            min_size=1,
        )
    )
    def record(self, fields: dict[str, str]) -> None:
        good = {"length": "2,4", "material": "Дуб", "delivery": "да", "budget": "неизвестно"}
        kept = {"length": "2.4", "material": "oak", "delivery": "yes", "budget": "unknown"}
        typed = {name: good.get(name, "x") if value else "" for name, value in fields.items()}
        had = {**self.told.card, "company": "x" if self.told.company else ""}
        self.give("record", True, fields=typed)
        for name, value in fields.items():
            if name == "company":
                self.told.company = bool(value)
            else:
                self.told.card[name] = kept.get(name, "x") if value else ""
        now = {**self.told.card, "company": "x" if self.told.company else ""}
        if any((now.get(name) or "") != (had.get(name) or "") for name in fields):
            self.on_by_itself()

    @rule(fact=st.sampled_from(["interested", "won_again", "paid"]), by=ACTORS)
    def establish(self, fact: str, by: Any) -> None:
        stands = self.told.facts.get(fact) == (None, self.told.visit)
        if self.give("establish", fact != "paid" or by is HEAD, fact=fact, by=by):
            self.told.facts[fact] = (None, self.told.visit)
            if not stands:
                self.on_by_itself()

    @rule(fact=st.sampled_from(["interested", "won_again", "paid"]))
    def withdraw(self, fact: str) -> None:
        may = fact in self.told.facts and fact != "paid"
        if self.give("withdraw", may, fact=fact):
            del self.told.facts[fact]
            self.on_by_itself()

    @rule(result=st.sampled_from(["consent", "needs", "perhaps"]))
    def hold(self, result: str) -> None:
        if self.give("hold", result != "perhaps", kind="meeting", result=result):
            self.told.facts["meeting_held"] = (result, self.told.visit)
            self.on_by_itself()

    @rule(document=st.sampled_from(["contract", "brief"]))
    def send(self, document: str) -> None:
        self.give("send", True, document=document)
        if document == "contract":
            self.told.facts["contract"] = (None, self.told.visit)
        self.on_by_itself()

    @rule(by=ACTORS, decision=st.sampled_from(["granted", "denied"]))
    def approve(self, by: Any, decision: str) -> None:
        if self.give("approve", by is HEAD and self.is_open(), by=by, decision=decision):
            self.told.facts.pop("approved", None)
            if decision == "granted":
                self.told.facts["approved"] = (None, self.told.visit)
            self.on_by_itself()

    @rule(to=st.sampled_from([*OPEN, WON]), by=ACTORS, override=st.booleans())
    def move(self, to: str, by: Any, override: bool) -> None:
        told, word = self.told, "так решил" if override else None
        if to == told.place or (not self.is_open() and not (told.place == "waiting" and to in ("meeting", "closing"))):
            may = False
        elif by is HEAD and override:
            may = True
        else:
            fits = told.way(to) and told.role_may(to, by is HEAD)
            may = fits and not told.lacks(to) and not told.result_forbids(to) and not override
            # a seller's override is refused even where nothing stands against the move
        broken = not (told.way(to) and told.role_may(to, by is HEAD)) or told.lacks(to) or told.result_forbids(to)
        if not self.give("move", may, to=to, by=by, override=word):
            return
        entered = [event for event in self.story.events if isinstance(event, e.StageEntered)][-1:]
        moved = next(event for event in reversed(self.story.entered) if event.stage == to and event.cause != "auto")
        assert (moved.basis == "override") == (override and broken), (moved, entered)
        back = OPEN.index(to) < OPEN.index(told.place) if to in OPEN and told.place in OPEN else False
        came_back = told.place == "waiting"
        told.enter(to)
        if not back and not came_back:
            self.on_by_itself()

    @rule(status=st.sampled_from(LOST), reason=st.sampled_from([None, "price"]), by=ACTORS)
    def reject(self, status: str, reason: str | None, by: Any) -> None:
        may = self.is_open() and (status == "closed") == (reason is not None)
        may = may and not (self.told.place == "meeting" and status == "spam")
        may = may and not (self.told.place == "closing" and by is SELLER) and not self.told.result_forbids(status)
        if self.give("reject", may, status=status, reason=reason, by=by):
            self.told.enter(status)

    @rule(by=ACTORS)
    def pause(self, by: Any) -> None:
        until = (self.story.now + timedelta(days=9)).date().isoformat()
        may = self.is_open() and not (self.told.place == "closing" and by is SELLER)
        may = may and not self.told.result_forbids("waiting")
        anew = self.told.place == "waiting"
        if self.give("pause", may or anew, until=until, reason="r", by=by) and not anew:
            self.told.enter("waiting")

    @rule(by=ACTORS, reason=st.sampled_from([None, "r"]))
    def reopen(self, by: Any, reason: str | None) -> None:
        place, head = self.told.place, by is HEAD
        may = {
            "closed": self.told.since_days >= 366 or (head and reason is not None),
            "spam": head,
            "waiting": head,
        }.get(place, False)
        if self.give("reopen", may, by=by, reason=reason):
            self.told.enter("contact" if place == "closed" else self.told.back_to)

    @rule(by=ACTORS)
    def undo(self, by: Any) -> None:
        told = self.told
        # a seller takes an outcome for a mistake on its day; afterwards it is reopened, by the pipeline's terms
        late = told.place in (*LOST, PAUSED) and told.since_days > 1
        terms = late and told.undo is not None and told.undo[0] in OPEN
        may = told.undo is not None and (by is HEAD or not (told.place == WON or terms))
        may = may or (told.undo is not None and told.place == "closed" and told.since_days >= 366)
        if self.give("undo", may, by=by):
            assert told.undo is not None
            place, back_to, visit, since = told.undo
            told.enter(place, correction=True)
            told.undo, told.back_to, told.visit, told.since = None, back_to, visit, since
            self.marked["correction"] += 1

    @rule(to=st.sampled_from([*OPEN, *LOST, PAUSED, WON]), by=ACTORS)
    def adopt(self, to: str, by: Any) -> None:
        """A version that asks for the same: nothing is proven by it, and nothing won, lost, paused or reopened."""
        told, kinds = (
            self.told,
            {**dict.fromkeys(OPEN, "open"), **dict.fromkeys(LOST, "lost"), PAUSED: "paused", WON: "won"},
        )
        body = c.Adopt(pipeline="workshop", number=self.version + 1, stage=to)
        command = c.Command(id=uuid5(LEAD, f"adopt:{len(self.story.events)}"), lead=LEAD, actor=by, body=body)
        done = adopt(self.story.lead, command, WORKSHOP, Destination(WORKSHOP), self.story.now)
        assert isinstance(done, Refusal) == (by is not HEAD or kinds[to] != kinds[told.place]), done
        if isinstance(done, Refusal):
            return
        self.story.keep(done, by)
        self.version += 1
        if to != told.place:
            told.stays, told.place, told.undo = told.stays + 1, to, None
            self.marked["adoption"] += 1

    @rule(to=st.sampled_from([*OPEN, *LOST, PAUSED, WON]))
    def import_row(self, to: str) -> None:
        """A history is held to the ways and to recorded results, not to proof, roles and terms; and nothing moves by itself."""
        told, story = self.told, self.story
        back = {"closed": "contact", "spam": told.back_to, PAUSED: told.back_to}.get(told.place)
        outcome = self.is_open() and to in (*LOST, PAUSED) and (told.place, to) != ("meeting", "spam")
        may = to != told.place and not told.result_forbids(to) and (to == back or told.way(to) or outcome)
        row = HistoryRow(
            uuid5(LEAD, f"row:{len(story.events)}"), LEAD, CONTACT, "workshop", to, story.now, "crm", IMPORT,
            until=(story.now + timedelta(days=9)).date(), reason="r",
        )  # fmt: skip
        done = advance(story.lead, row, story.now, WORKSHOP, story.now, Surroundings())
        assert isinstance(done, Refusal) != may, (told.place, to, done)
        if not isinstance(done, Refusal):
            story.keep(done, IMPORT)
            told.enter(to)
            self.marked["import"] += 1

    @rule()
    def do_what_the_stage_asks(self) -> None:
        """Without this, random commands hardly ever come far."""
        if self.told.place == "found":
            self.record({"site": "ok", "company": "ok"})
        elif self.told.place == "contact":
            self.record({"length": "ok", "material": "ok", "address": "ok"})
            self.establish("interested", SELLER)
            self.move("meeting", SELLER, False)
        elif self.told.place == "meeting":
            self.hold("consent")
            self.move("closing", SELLER, False)
        elif self.told.place == "closing":
            self.send("contract")
            self.approve(HEAD, "granted")
            self.establish("paid", HEAD)
            self.move("deal", HEAD, False)

    @rule(days=st.sampled_from([1, 400]))
    def later(self, days: int) -> None:
        self.story.later(days=days)
        self.told.day += days

    @invariant()
    def lead_stands_where_the_oracle_says(self) -> None:
        assert (self.story.lead.stage, self.story.lead.root) == (self.told.place, self.told.visit)

    @invariant()
    def every_entry_says_what_let_it_in_and_visits_have_no_gaps(self) -> None:
        entered = self.story.entered
        assert [event.visit for event in entered] == list(range(1, len(entered) + 1))
        assert all((event.basis == "override") == bool(event.overridden) for event in entered)
        for basis, count in self.marked.items():
            assert sum(event.basis == basis for event in entered) == count
        assert {event.basis for event in entered} <= {"check", "override", *self.marked}


Engine.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestK2N10N12StageEngineUnderAnyCommands = Engine.TestCase

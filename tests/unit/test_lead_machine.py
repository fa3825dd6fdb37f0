"""A lead under any sequence of commands, against an oracle written apart from the production fold (K2, S1-S3, M9).

The oracle is the text of the spec as a few plain variables: it knows stages by number and never looks at `LeadState`.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts import events as e
from contracts.commands import COMMAND_BODIES, Command, Refusal
from services.leads.domain.decide import Surroundings, decide
from services.leads.domain.state import LeadState, evolve_lead
from tests.unit.given_lead import CLASSIC, COMMAND, HEAD, LEAD, NOW, SELLER, captured, meta

OPEN = ["new", "processing", "proposal", "closing"]
LOST = ["no_contact", "price", "terms", "off_target"]


class LeadMachine(RuleBasedStateMachine):
    """Commands go to the domain; the oracle says beforehand whether they must be accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[e.Event] = []
        self.state: LeadState | None = None
        self.append(captured())
        # the oracle's own picture
        self.place, self.outcome, self.returns_to = 0, "open", 0
        self.seen = self.accepted = self.offered = False
        self.fields: dict[str, str] = {}
        self.answer: str | None = None
        self.visits = [("new", 1)]

    def append(self, data: tuple[e.Event, ...]) -> None:
        for event in data:
            self.events.append(event)
            self.state = evolve_lead(self.state, meta(event, len(self.events)), event)

    def give(self, name: str, must_pass: bool, head: bool = False, **body: object) -> tuple[e.Event, ...] | None:
        assert self.state is not None
        command = Command(id=COMMAND, lead=LEAD, actor=HEAD if head else SELLER, body=COMMAND_BODIES[name](**body))  # type: ignore[arg-type]
        answer = decide(self.state, command, CLASSIC, NOW, Surroundings())
        before = self.state
        if isinstance(answer, Refusal):
            assert not must_pass, f"{name} {body} refused: {answer.rules}"
            assert self.state is before
            return None
        assert must_pass, f"{name} {body} accepted in {OPEN[self.place]}/{self.outcome}"
        self.append(answer)
        for event in answer:
            if isinstance(event, e.StageEntered):
                self.visits.append((event.stage, event.visit))
        return answer

    def may_go_forward(self) -> bool:
        reachable = bool(self.fields.get("phone") or self.fields.get("email"))
        return [
            self.seen and self.accepted,
            bool(self.fields.get("name")) and reachable and bool(self.fields.get("needs")),
            bool(self.fields.get("order_details")) and self.offered,
            self.answer == "consent",
        ][self.place] and not (self.place < 3 and self.answer is not None)

    @rule()
    def see(self) -> None:
        if self.give("see", self.outcome == "open") is not None:
            self.seen = True

    @rule()
    def accept(self) -> None:
        if self.give("accept", self.outcome == "open") is not None:
            self.accepted = True

    @rule(
        fields=st.dictionaries(
            st.sampled_from(["name", "needs", "order_details", "email"]),
            st.sampled_from(["", "ivan@example.org"]),
            min_size=1,
        )
    )
    def record(self, fields: dict[str, str]) -> None:
        self.give("record", True, fields=fields)
        self.fields.update(fields)

    @rule()
    def offer(self) -> None:
        price = {"amount": "10", "currency": "RUB"}
        if self.give("offer", self.outcome == "open", volume="1", price=price, delivery_days=3) is not None:
            self.offered, self.answer = True, None

    @rule(answer=st.sampled_from(["consent", "refusal", "thinking"]))
    def client_answers(self, answer: str) -> None:
        allowed = self.outcome == "open" and self.offered and answer != "thinking"
        if self.give("answer", allowed, answer=answer) is not None:
            self.answer = answer

    @rule(to=st.sampled_from([*OPEN, "converted"]))
    def move(self, to: str) -> None:
        there = 4 if to == "converted" else OPEN.index(to)
        if self.outcome != "open":
            allowed = False
        elif there > self.place:
            allowed = there == self.place + 1 and self.may_go_forward()
        else:
            allowed = there < self.place and self.answer is None
        if self.give("move", allowed, to=to) is None:
            return
        if there == 4:
            self.outcome = "won"
        else:
            if there < self.place:
                self.answer = None
            self.place = there

    @rule()
    def do_what_the_stage_asks(self) -> None:
        """Without this, random commands hardly ever leave the first stages."""
        if self.place == 0:
            self.see()
            self.accept()
        elif self.place in (1, 2):
            self.record(dict.fromkeys(("name", "email", "needs", "order_details"), "ivan@example.org"))
        if self.place == 2:
            self.offer()
        self.move([*OPEN, "converted"][self.place + 1])

    @rule(status=st.sampled_from(LOST))
    def be_refused_and_come_back(self, status: str) -> None:
        """A path of four steps that random commands seldom take."""
        self.offer()
        self.client_answers("refusal")
        self.reject(status)
        self.reopen(head=True)

    @rule(status=st.sampled_from(LOST))
    def reject(self, status: str) -> None:
        if self.give("reject", self.outcome == "open" and self.answer != "consent", status=status) is not None:
            self.outcome, self.returns_to = status, self.place

    @rule(days=st.integers(-1, 30))
    def pause(self, days: int) -> None:
        allowed = self.outcome in ("open", "paused") and days > 0 and self.answer != "consent"
        until = (NOW + timedelta(days=days)).date()
        was, visits = self.outcome, len(self.visits)
        if self.give("pause", allowed, until=until, reason="отпуск") is not None:
            assert len(self.visits) - visits == (was == "open"), "another date is no visit of its own"
            self.outcome, self.returns_to = "paused", self.place

    @rule(head=st.booleans())
    def reopen(self, head: bool) -> None:
        allowed = self.outcome in (*LOST, "paused") and (self.outcome != "off_target" or head)
        # An answer that decided the outcome is asked anew when work goes on, but not before the lead is back.
        allowed = allowed and self.answer != "consent"
        if self.give("reopen", allowed, head=head) is not None:
            self.place, self.outcome, self.answer = self.returns_to, "open", None

    @invariant()
    def visits_are_numbered_without_gaps_and_stand_where_the_oracle_says(self) -> None:
        assert self.state is not None
        assert [visit for _, visit in self.visits] == list(range(1, len(self.visits) + 1))
        expected = {"open": OPEN[self.place], "won": "converted"}.get(self.outcome, self.outcome)
        assert (self.state.stage, self.state.version) == (expected, len(self.events))

    @invariant()
    def state_is_the_fold_of_the_events(self) -> None:
        again: LeadState | None = None
        for version, event in enumerate(self.events, 1):
            again = evolve_lead(again, meta(event, version), event)
        assert again == self.state


LeadMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestK2LeadUnderAnyCommands = LeadMachine.TestCase

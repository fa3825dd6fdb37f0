"""N21, Q5, Q6: the head's one queue: nearer to the decision, then the larger amount, then whoever waits longest."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.web.queue_order import KINDS, Standing, Waiting, first_currency, ordered

THEN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def waits(name: str, *leads: Standing, hours: int = 0, kind: str = "review") -> Waiting:
    return Waiting(kind, name, THEN + timedelta(hours=hours), leads)  # type: ignore[arg-type]


def at(steps: int, amount: int | None = None, currency: str = "RUB") -> Standing:
    return Standing(steps, None if amount is None else Decimal(amount), currency if amount is not None else None)


def names(*items: Waiting) -> list[object]:
    return [item.id for item in ordered(items)]


def test_N21_nearer_to_the_decision_comes_first_whatever_the_amount_and_the_wait() -> None:
    assert names(waits("far", at(3, 900), hours=-50), waits("near", at(1, 5))) == ["near", "far"]


def test_N21_in_one_stage_the_larger_amount_comes_first_and_none_last() -> None:
    assert names(waits("none", at(1), hours=-9), waits("small", at(1, 5)), waits("large", at(1, 90))) == [
        "large", "small", "none",
    ]  # fmt: skip


def test_N21_of_equal_ones_whoever_waits_longest_comes_first() -> None:
    assert names(waits("new", at(1, 5), hours=2), waits("old", at(1, 5), hours=1)) == ["old", "new"]


def test_N21_currencies_are_not_compared_those_of_the_most_leads_come_first() -> None:
    items = (waits("usd", at(1, 1_000, "USD")), waits("a", at(1, 2)), waits("b", at(1, 3)))
    assert names(*items) == ["b", "a", "usd"]
    assert first_currency(items) == "RUB"
    assert first_currency([waits("none", at(1))]) is None


def test_N21_an_escalation_stands_where_the_nearest_of_its_leads_does() -> None:
    escalation = waits("escalation", at(4), at(0, 7), kind="escalation")
    assert names(waits("one", at(1, 900)), escalation) == ["escalation", "one"]


def test_N21_what_is_about_no_lead_comes_after_all_that_is_the_oldest_first() -> None:
    letter = waits("letter", kind="dead_letter", hours=1)
    card = waits("card", kind="card_review", hours=-90)
    assert names(letter, waits("lead", at(9), hours=5), card) == ["lead", "card", "letter"]


standings = st.builds(
    Standing,
    steps=st.integers(0, 3),
    amount=st.none() | st.integers(0, 3).map(Decimal),
    currency=st.sampled_from(["RUB", "EUR"]),
)
queues = st.lists(
    st.builds(
        Waiting,
        kind=st.sampled_from(KINDS),
        id=st.uuids(),
        since=st.integers(0, 3).map(lambda hours: THEN + timedelta(hours=hours)),
        leads=st.lists(standings, max_size=2).map(tuple),
    ),
    max_size=12,
    unique_by=lambda item: item.id,
)


@given(queues, st.randoms(use_true_random=False))
def test_N21_the_order_is_total_and_no_pair_contradicts_the_formula(
    items: list[Waiting], chance: random.Random
) -> None:
    found = ordered(items)
    shuffled = list(items)
    chance.shuffle(shuffled)
    assert ordered(shuffled) == found
    for before, after in pairwise(found):
        assert not _clearly_first(after, before)


def _clearly_first(one: Waiting, other: Waiting) -> bool:
    """By the words of the formula, for two that each are about one lead of one currency: one comes before the other."""
    if not one.leads or not other.leads:
        return bool(one.leads) and not other.leads
    steps = [min(lead.steps for lead in item.leads) for item in (one, other)]
    if steps[0] != steps[1]:
        return steps[0] < steps[1]
    if len(one.leads) > 1 or len(other.leads) > 1:
        return False
    (mine,), (theirs,) = one.leads, other.leads
    if mine.amount is not None and theirs.amount is not None and mine.currency != theirs.currency:
        return False
    if mine.amount != theirs.amount:
        return theirs.amount is None or (mine.amount is not None and mine.amount > theirs.amount)
    return one.since < other.since

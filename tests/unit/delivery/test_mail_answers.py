"""R3: what an answer of a mail server means, and that nothing but codes is taken from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.mail.answers import Step, accepted, judge
from services.delivery.port import Done, Later, Refused

STEPS: tuple[Step, ...] = ("greeting", "hello", "tls", "auth", "sender", "recipient", "data", "letter", "answer")


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("2.0.0 Ok: queued as 4FzX9q1Z2Yz", "4FzX9q1Z2Yz"),
        ("OK id=1tFx3Q-0004bC-Xy", "1tFx3Q-0004bC-Xy"),
        (
            "2.0.0 Ok: queued on mail-nwsmtp-smtp-production-main-17.sas.yp-c.example.net 1732610000-aBcDeF0",
            "1732610000-aBcDeF0",
        ),
        ("2.0.0 OK", None),
        ("Ok: queued as anna@client.example", None),
        ("Ok: queued as anna1@client.example", None),
        ("Ok queued as delivery", None),
        ("2.6.0 <019adf1e@id.firma.example> Queued mail for delivery", None),
        ("id=" + "9" * 70, None),
        ("", None),
    ],
)
def test_R3_the_queue_id_is_kept_only_where_it_is_plainly_one(text: str, queue_id: str | None) -> None:
    assert accepted(text) == Done(queue_id)


@given(step=st.sampled_from(STEPS), code=st.integers(-1, 1200), text=st.text(max_size=100))
def test_R3_whatever_a_server_says_has_one_meaning_without_its_words(step: Step, code: int, text: str) -> None:
    found = judge(step, code, text)
    good = code == 354 if step == "data" else 200 <= code < 300
    assert (found is None) == good
    if isinstance(found, Later | Refused):
        assert len(found.reason) < 60
        assert found.reason == (judge(step, code, "") or found).reason or text[:1] in "245"
    if isinstance(found, Later):
        assert not found.in_doubt, "whoever was answered is in no doubt"
        assert found.whole_provider or 400 <= code < 500
    if isinstance(found, Refused):
        assert 500 <= code < 600
        assert step not in ("greeting", "hello", "tls", "auth"), "no letter is to blame for the server's greeting"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.2.0 Greylisted, retry in 300 seconds", 300.0),
        ("4.7.1 please try again after 5 minutes", 300.0),
        ("4.7.0 wait 99999 s", 3600.0),
        ("4.2.2 mailbox full", None),
        ("4.5.3 more than 10 recipients", None),
    ],
)
def test_R3_a_wait_that_the_server_names_is_kept(text: str, seconds: float | None) -> None:
    found = judge("recipient", 450, text)
    assert isinstance(found, Later)
    assert found.after == seconds

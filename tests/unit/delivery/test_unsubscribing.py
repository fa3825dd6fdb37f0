"""C7: the token of an «unsubscribe» link: made only with the pepper, the same for one lead and channel, no other is read."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.privacy.unsubscribing import (
    TOKEN_CHARACTERS,
    Unsubscribing,
    read_token,
    unsubscribe_link,
    unsubscribe_token,
)

PEPPER, OTHER = b"p" * 32, b"q" * 32
LEAD = UUID("019adf1e-4a00-7000-8000-000000000001")
Channel = Literal["email", "sms"]


@given(lead=st.uuids(), channel=st.sampled_from(["email", "sms"]))
def test_C7_a_token_says_whose_letters_it_ends(lead: UUID, channel: Channel) -> None:
    token = unsubscribe_token(PEPPER, lead, channel)
    assert token == unsubscribe_token(PEPPER, lead, channel)
    assert len(token) == TOKEN_CHARACTERS
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert read_token(PEPPER, token) == Unsubscribing(lead, channel)
    assert read_token(OTHER, token) is None


@given(text=st.one_of(st.text(max_size=80), st.text(alphabet="ABCab01-_=", min_size=44, max_size=44)))
def test_C7_what_we_did_not_make_is_no_token(text: str) -> None:
    assert read_token(PEPPER, text) is None


def test_C7_no_changed_token_is_read() -> None:
    token = unsubscribe_token(PEPPER, LEAD)
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert read_token(PEPPER, changed) is None, at
    assert read_token(PEPPER, token + "A") is None
    assert read_token(PEPPER, token[:-1]) is None


def test_C7_the_link_stands_below_the_public_address() -> None:
    assert unsubscribe_link("https://x.example/leads", "T") == "https://x.example/leads/unsubscribe/T"

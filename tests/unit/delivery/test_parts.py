"""How a short message is cut into parts (R3)."""

from __future__ import annotations

import pytest
from aiosmpplib import GSM7BitCodec  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.sms.parts import ALONE, JOINED, Parts, cut

BASIC = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà"
EXTENDED = "\f^{}\\[~]|€"
OURS = GSM7BitCodec()
"""The library's codec: written by somebody else, from the same standard."""


def read(parts: Parts) -> str:
    """The text that a phone shows."""
    if parts.alphabet == "ucs2":
        return "".join(part.decode("utf-16-be") for part in parts.encoded)
    return "".join(OURS.decode(part)[0] for part in parts.encoded)


@pytest.mark.parametrize(
    ("text", "alphabet", "count"),
    [
        ("", "gsm", 1),
        ("a" * 160, "gsm", 1),
        ("a" * 161, "gsm", 2),
        ("a" * 306, "gsm", 2),
        ("a" * 307, "gsm", 3),
        ("€" * 80, "gsm", 1),
        ("€" * 81, "gsm", 2),
        ("a" * 159 + "€", "gsm", 2),
        ("a" * 152 + "€" + "a" * 152, "gsm", 3),  # the euro does not fit the first part and leaves it a septet short
        ("я" * 70, "ucs2", 1),
        ("я" * 71, "ucs2", 2),
        ("я" * 134, "ucs2", 2),
        ("я" * 135, "ucs2", 3),
        ("🎓" * 35, "ucs2", 1),
        ("🎓" * 36, "ucs2", 2),
        ("я" * 66 + "🎓" + "я" * 66, "ucs2", 3),  # 134 units, but the surrogates stay together
        ("a" * 69 + "—", "ucs2", 1),
        ("`", "ucs2", 1),
        ("ç", "ucs2", 1),  # only the capital is in the alphabet
    ],
)
def test_R3_what_a_message_costs(text: str, alphabet: str, count: int) -> None:
    parts = cut(text)
    assert (parts.alphabet, parts.count) == (alphabet, count)


@given(st.text(st.sampled_from(BASIC + EXTENDED), max_size=700))
def test_R3_the_gsm_alphabet_is_cut_and_read_whole(text: str) -> None:
    parts = cut(text)
    assert parts.alphabet == "gsm"
    assert read(parts) == text
    septets = len(text) + sum(character in EXTENDED for character in text)
    assert (parts.count == 1) == (septets <= 160)
    assert all(OURS.decode(part) for part in parts.encoded)  # each by itself: strict about an escape at the end


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_R3_any_text_is_cut_and_read_whole(text: str) -> None:
    parts = cut(text)
    assert read(parts) == text
    assert (parts.alphabet == "gsm") == GSM7BitCodec.is_gsm_text(text)
    assert "".join(read(Parts(parts.alphabet, (part,))) for part in parts.encoded) == text  # each by itself
    if parts.count > 1:
        assert all(JOINED[parts.alphabet] - 3 <= len(part) <= JOINED[parts.alphabet] for part in parts.encoded[:-1])
        assert 0 < len(parts.encoded[-1]) <= JOINED[parts.alphabet]
    else:
        assert len(parts.encoded[0]) <= ALONE[parts.alphabet]


def test_R3_half_a_surrogate_breaks_nothing() -> None:
    assert read(cut("a\ud83cb")) == "a?b"

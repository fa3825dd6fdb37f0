"""Texts about what a lead and a deal share: one text says both, and whoever shows it says which of the two is meant (D1).

Pure. Where they differ a text has the lead's words and the deal's between ⟨ and ⟩, apart by a bar: «⟨Лид закрыт|Сделка закрыта⟩.
Верните ⟨его|её⟩ в работу». Invariants: such brackets with a bar stand for nothing else; a text without them is about either, or
about leads alone.
"""

from __future__ import annotations

import re
from typing import Final

_PAIR: Final = re.compile(r"⟨([^⟨⟩|]*)\|([^⟨⟩|]*)⟩")


def spoken(text: str, *, of_deal: bool) -> str:
    """The text as it is said of a lead, or of a deal."""
    return _PAIR.sub(r"\2" if of_deal else r"\1", text) if "⟨" in text else text

"""Why somebody does not get a lead or deal, in words, by what `LeadAssigned` and `LeadPooled` say of each (N19). Plain values."""

from __future__ import annotations

from typing import Final

WHY_NOT: Final[dict[str, tuple[str, str]]] = {
    "left": ("уже не работает", "has left"),
    "not_yet": ("ещё не вышел", "has not begun yet"),
    "takes_none": ("лидов не берёт", "takes no leads"),
    "skills": ("нет нужного навыка", "lacks the skill"),
    "languages": ("не говорит на этом языке", "does not speak the language"),
    "directions": ("другое направление", "another direction"),
    "people": ("правило называет других", "the rule names others"),
    "absent": ("отсутствует", "is away"),
    "off_hours": ("сейчас не рабочее время", "not their working time now"),
    "quota_open": ("открытых лидов уже сколько можно", "has as many open leads as they may"),
    "quota_day": ("на сегодня лидов хватит", "has as many as they may take today"),
    "replaced": ("от него и передают", "it is taken from them"),
}

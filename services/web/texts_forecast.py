"""Words of the forecast's page, in Russian and English. They stand in `texts.TEXTS` with all others."""

from __future__ import annotations

FORECAST_TEXTS: dict[str, tuple[str, str]] = {
    "forecast": ("Прогноз", "Forecast"),
    "forecast.made_at": ("с {day} на дней: {days}; посчитано {at}", "from {day} for {days} days; made {at}"),
    "forecast.days": ("дней: {days}", "{days} days"),
    "forecast.help": (
        "Ожидаемые числа: по срокам воронки и по тому, как ⟨лиды|сделки⟩ шли до сих пор. В скобках — границы, в "
        "которые попадают восемь недель из десяти; насколько они верны, видно ниже, по прошедшим неделям.",
        "Expected numbers: from the terms of the pipeline, and from how ⟨leads|deals⟩ have gone so far. In brackets the bounds "
        "that eight weeks of ten lie within; how true they are is shown below, by the weeks that have passed.",
    ),
    "forecast.few": (
        "Прошлого пока мало: прогноз опирается больше на сроки воронки, чем на то, что было.",
        "There is little past yet: the forecast rests on the terms of the pipeline more than on what has been seen.",
    ),
    "forecast.plot": (
        "Сколько ⟨лидов|сделок⟩ придёт на стадию за ближайшие семь дней",
        "How many ⟨leads|deals⟩ come to each stage in the next seven days",
    ),
    "forecast.outcome": ("Чем закончится", "What will close"),
    "forecast.won": ("⟨Станут сделками|Будут выиграны⟩", "Will be won"),
    "forecast.lost": ("Будут потеряны", "Will be lost"),
    "forecast.amounts": ("Из того, что сейчас в работе, ожидается", "Expected of what is being worked on now"),
    "forecast.bounds": ("{expected} ({low}–{high})", "{expected} ({low}–{high})"),
    "forecast.stages": ("Что придёт на стадии", "What comes to the stages"),
    "forecast.now": ("Сейчас", "Now"),
    "forecast.week": ("с {day}", "from {day}"),
    "forecast.people": ("Кому сколько придёт", "What comes to whom"),
    "forecast.usual": ("Обычно за неделю", "Usual week"),
    "forecast.busiest": ("Больше всего за неделю", "Busiest week"),
    "forecast.people_help": (
        "Сколько раз ⟨лиды|сделки⟩ придут к человеку на открытые стадии за неделю — рядом с тем, сколько он заканчивал за неделю "
        "до сих пор (последние восемь недель).",
        "How often ⟨leads|deals⟩ come to a person in open stages in a week, beside how many they have ended in a week so far "
        "(the last eight weeks).",
    ),
    "forecast.overloaded": (
        "перегрузка с {day}: больше, чем в самую трудную неделю",
        "overload from {day}: more than in the busiest week",
    ),
    "forecast.past": ("Как сбывались прогнозы", "How forecasts did"),
    "forecast.past_help": (
        "Каждая прошедшая неделя спрогнозирована заново — только из того, что было известно к её началу.",
        "Each week of the past is forecast again, from nothing but what was known when it began.",
    ),
    "forecast.within": ("В границах", "Within bounds"),
    "forecast.came": (
        "{came} из ожидавшихся {expected} ({low}–{high})",
        "{came} of {expected} expected ({low}–{high})",
    ),
    "forecast.no_past": (
        "Прошлого ещё нет: границы показывают одну случайность. Через три недели здесь появится сравнение.",
        "There is no past yet: the bounds show chance alone. In three weeks a comparison appears here.",
    ),
}

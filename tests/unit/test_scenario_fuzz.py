"""Whatever stands in a scenario file, it is read or complained about, and whatever is read can be played (M3)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.leads.scenarios import Played, Script, ScriptError, read_script, run_script
from services.leads.scenarios.phrase import Phrase
from services.leads.scenarios.phrases import ACTORS, PHRASES
from services.pipelines import bundled
from services.pipelines.language import read_pipeline

PIPELINES = [read_pipeline(file.read_text(encoding="utf-8"), file.name) for file in bundled.pipeline_files()]
WORDS = st.sampled_from(
    [
        "Дано",
        "Когда",
        "Тогда",
        "И",
        "продавец",
        "лид",
        "«Новый»",
        "«",
        "»",
        ":",
        "- ",
        "  ",
        "в стадии",
        "отказ",
        "не хватает",
    ]
)


def read(text: str) -> Script | None:
    """The script, or None for a text that is complained about by its lines."""
    try:
        return read_script(text, "s.txt")
    except ScriptError as error:
        complaint = str(error)
    assert all(line.startswith("s.txt:") for line in complaint.splitlines()), complaint
    return None


@given(st.lists(st.lists(WORDS | st.text(max_size=5), max_size=8).map(" ".join), max_size=12))
@settings(max_examples=300, deadline=None)
def test_M3_any_text_is_read_or_complained_about_by_line(lines: list[str]) -> None:
    read("\n".join(["Воронка: classic", "Сценарий: а", *lines]))


@st.composite
def scripts(draw: st.DrawFn) -> tuple[int, str]:
    """Sentences in any order, their gaps filled with titles of the pipeline, of any kind."""
    number = draw(st.integers(0, len(PIPELINES) - 1))
    pipeline = PIPELINES[number]
    titles = [
        *(stage.titles.ru for stage in pipeline.stages),
        *(fact.titles.ru for fact in pipeline.facts_by_id.values()),
        *(option.titles.ru for fact in pipeline.facts for option in fact.options),
        *(reason.titles.ru for stage in pipeline.stages for reason in stage.reasons),
        "договор",
        "звонок",
        "только реклама",
    ]
    fields = [
        *(field.titles.ru for field in pipeline.fields),
        "Имя",
        "Телефон",
        "E-mail",
        "Фирма",
        "Источник",
        "Стоимость",
    ]
    values = [
        "пусто",
        "да",
        "пока неизвестно",
        "+7 916 123-45-67",
        "a@example.org",
        "120 000 руб.",
        "05.03.2026",
        "18:30",
    ]

    def sentence(phrase: Phrase) -> str:
        text = phrase.example[0]
        while "«" in text:
            before, _, rest = text.partition("«")
            text = f"{before}\x00{draw(st.sampled_from(titles))}\x01{rest.partition('»')[2]}"
        who = f"{draw(st.sampled_from([names[0][0] for names in ACTORS.values()]))} "
        acting = phrase.part == "when" and not phrase.alone
        word = {"given": "Дано", "when": "Когда", "then": "Тогда"}[phrase.part]
        line = f"{word} {who if acting else ''}{text}".replace("\x00", "«").replace("\x01", "»")
        if phrase.what == "fields":
            for _ in range(draw(st.integers(0, 2))):
                line += f"\n  {draw(st.sampled_from(fields))}: {draw(st.sampled_from(values))}"
        return line

    first = f"Дано лид в стадии «{draw(st.sampled_from([stage.titles.ru for stage in pipeline.stages]))}»"
    chosen = draw(st.lists(st.sampled_from(PHRASES), min_size=1, max_size=8))
    lines = [first, *(sentence(phrase) for phrase in chosen), "Тогда лид в работе"]
    return number, "\n".join([f"Воронка: {pipeline.pipeline}", "Сценарий: а", *lines])


@given(scripts())
@settings(max_examples=400, deadline=None)
def test_M3_whatever_is_read_can_be_played(drawn: tuple[int, str]) -> None:
    number, text = drawn
    script = read(text)
    if script is None:
        return
    (played,) = run_script(script, PIPELINES[number])
    assert isinstance(played, Played)
    assert played.ok or played.lines("s.txt", "ru")[0].startswith("s.txt:")

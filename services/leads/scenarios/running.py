"""Playing scenarios: sentence by sentence, until the first that is not so (M3).

Pure. Invariant: an act that is refused without the scenario saying so fails it, as does anything given that cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.pipeline import Pipeline
from services.leads.scenarios.doing import StepError, perform
from services.leads.scenarios.looking import Difference, differs, words_of
from services.leads.scenarios.naming import Names, UnknownNameError
from services.leads.scenarios.phrases import REFUSALS
from services.leads.scenarios.play import Play
from services.leads.scenarios.script import Language, Scenario, Script, ScriptError, Step
from services.leads.scenarios.telling import story
from services.leads.scenarios.texts import say


@dataclass(frozen=True, slots=True)
class Played:
    """How a scenario came out. `at`: the sentence it broke at, `why` in what way; `wrong`: the scenario itself is, not the
    pipeline; `told`: the lead's story up to there."""

    scenario: Scenario
    ok: bool
    at: Step | None = None
    why: tuple[str, ...] = ()
    wrong: bool = False
    told: tuple[str, ...] = ()
    moves: frozenset[tuple[str, str]] = frozenset()
    """Every change of stage in it that the rules decided: from, to."""

    def lines(self, file: str, language: Language) -> tuple[str, ...]:
        """The failure in words, the place first; nothing for one that is as expected."""
        if self.ok or self.at is None:
            return ()
        place = f"{file}:{self.at.line}: {self.at.text}"
        return (
            place,
            *self.why,
            *((say(language, "story"), *(f"  {line}" for line in self.told)) if self.told else ()),
        )


def run_script(script: Script, pipeline: Pipeline) -> tuple[Played, ...]:
    """All scenarios of a script, played on a pipeline. Raises ScriptError where they are of another one."""
    if script.pipeline != pipeline.pipeline:
        told = say(script.language, "other_pipeline", theirs=script.pipeline, ours=pipeline.pipeline)
        raise ScriptError(f"{script.file}:1: {told}")
    return tuple(run_scenario(scenario, pipeline, script.language) for scenario in script.scenarios)


def run_scenario(scenario: Scenario, pipeline: Pipeline, language: Language) -> Played:
    """One scenario, played on a pipeline."""
    play, names = Play(pipeline), Names(pipeline, language)
    for number, step in enumerate(scenario.steps):
        try:
            why = _played(step, scenario.steps[number + 1 :], play, names)
        except (StepError, UnknownNameError) as error:
            return Played(scenario, False, step, (str(error),), wrong=True, told=story(play, names))
        if why:
            return Played(scenario, False, step, why, told=story(play, names))
    return Played(scenario, True, moves=frozenset(play.moves))


def _played(step: Step, following: tuple[Step, ...], play: Play, names: Names) -> tuple[str, ...]:
    """Play a sentence; what is not so, in words."""
    if step.part == "then":
        found = differs(step, play, names)
        return () if found is None else _said(found, names.language)
    perform(step, play, names)
    if play.refusal is None or (step.part == "when" and _expected(following)):
        return ()
    key = "given_refused" if step.part == "given" else "unexpected_refusal"
    return (say(names.language, key, why=words_of(play.refusal, names)),)


def _expected(following: tuple[Step, ...]) -> bool:
    """Whether a refusal is looked for before anything else is done."""
    for step in following:
        if step.part != "then":
            return False
        if step.phrase in REFUSALS:
            return True
    return False


def _said(found: Difference, language: Language) -> tuple[str, ...]:
    expected, came = found
    return say(language, "expected", what=expected), say(language, "came_out", what=came)

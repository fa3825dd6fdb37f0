"""Given/when/then scenarios of a pipeline, as sales people write them (M3, `leadline test`, docs/howto/pipelines.md).

A text in Russian or English is read into a `Script` (`reading`, by the phrases of `phrases`); `running` plays it on the real
rules of `services.leads.domain`, never on a copy of them. Pure: time and ids are the scenario's own.
"""

from services.leads.scenarios.reading import read_script
from services.leads.scenarios.running import Played, run_scenario, run_script
from services.leads.scenarios.script import Scenario, Script, ScriptError

__all__ = ["Played", "Scenario", "Script", "ScriptError", "read_script", "run_scenario", "run_script"]

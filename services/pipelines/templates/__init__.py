"""Templates of what is written to the client (R3, decision 6): `minijinja` within limits, over plain values, in two languages.

Pure. Users write the templates, so a template is judged before it runs (`grammar`), runs with fuel and a bounded result
(`engine`), escapes in HTML, and fails in words that name the line and never a value. `checking` tells the linter what is wrong
beforehand.
"""

from services.pipelines.templates.checking import Problem, checked
from services.pipelines.templates.engine import render, render_subject, variables
from services.pipelines.templates.errors import TemplateError
from services.pipelines.templates.letters import Message, Preview, Wrong, preview, write
from services.pipelines.templates.reading import Language
from services.pipelines.templates.values import COMPANY_NAMES, LEAD_NAMES, LeadValues, values_for

__all__ = [
    "COMPANY_NAMES",
    "LEAD_NAMES",
    "Language",
    "LeadValues",
    "Message",
    "Preview",
    "Problem",
    "TemplateError",
    "Wrong",
    "checked",
    "preview",
    "render",
    "render_subject",
    "values_for",
    "variables",
    "write",
]

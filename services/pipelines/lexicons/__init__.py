"""The lexicons that come with Leadline, read once (S5). A file that is wrong is an error of the release, told with its line."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from services.pipelines.linting.lexicon import Lexicon, Lexicons
from services.strict_yaml import read_yaml


@lru_cache(maxsize=1)
def bundled() -> Lexicons:
    """The lexicons of both languages. Raises YamlError."""
    return Lexicons(_read("ru"), _read("en"))


def _read(language: str) -> Lexicon:
    file = resources.files(__name__).joinpath(f"{language}.yaml")
    text = file.read_text(encoding="utf-8")
    return read_yaml(text, Lexicon, file.name, whole="the lexicon", begins="a lexicon begins with `language: ru`")

"""Reading YAML that people write, strictly: YAML 1.2 scalars, duplicate keys refused, errors by file, line and path (decision 6).

Pure. Raises `YamlError` for whatever is wrong with the text; its message names the place, what was expected, and the way out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from contracts.pipeline.names import Misfit
from services.yaml_words import Words, both, said_of, said_of_key, said_of_syntax

SOURCE_CHARACTERS = 500_000
TEXT = "tag:yaml.org,2002:str"

Model = TypeVar("Model", bound=BaseModel)


class YamlError(ValueError):
    """A text is wrong; the message says where and how to mend it. `ru`: the same in Russian."""

    def __init__(self, en: str, ru: str | None = None) -> None:
        super().__init__(en)
        self.ru = ru if ru is not None else en


class _Loader(yaml.SafeLoader):
    """YAML 1.2 core scalars: `no` and `on` are texts, `012` is twelve, `1:30` is a text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(str(node.value), 10))

if yaml.__with_libyaml__:
    from yaml.composer import Composer
    from yaml.constructor import SafeConstructor
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
    from yaml.resolver import Resolver

    class _FastLoader(Composer, CParser, SafeConstructor, Resolver):
        """The same, four times as fast: scanned in C, put together in Python, so that deep nesting is an error and no crash."""

        yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
        yaml_constructors = _Loader.yaml_constructors

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    LOADERS: tuple[type[Any], ...] = (_FastLoader, _Loader)
else:
    LOADERS = (_Loader,)
"""The fast one first; what it cannot read is read once more by the other, which says better what is wrong."""


@dataclass(frozen=True)
class Written(Generic[Model]):
    """A model with the text it was read from: `place` says where in the file a path stands."""

    model: Model
    file: str
    root: yaml.Node

    def line(self, path: tuple[Any, ...]) -> int:
        """The line (from 1) of a path, or of the nearest part of it that is written."""
        return _walked(self.root, path)[0]

    def place(self, path: tuple[Any, ...]) -> str:
        """`file:line: stages[2].titles.ru`, as in errors."""
        line, walked = _walked(self.root, path)
        return f"{self.file}:{line}: {walked}" if walked else f"{self.file}:{line}"


def read_yaml(text: str, model: type[Model], file: str, *, whole: Words | str, begins: Words | str) -> Model:
    """The model in a YAML text. `file` names it in errors, `whole` the thing described, `begins` how such a text begins.

    Raises YamlError.
    """
    return read_written(text, model, file, whole=whole, begins=begins).model


def read_written(
    text: str,
    model: type[Model],
    file: str,
    *,
    whole: Words | str,
    begins: Words | str,
    examples: Mapping[str, str] | None = None,
    further: Callable[[Model], Iterable[Misfit]] = lambda _: (),
) -> Written[Model]:
    """The same, with the places of its parts. `examples`: by key, how it is written; `further` finds what is wrong beyond the
    model, each with its path. Raises YamlError.
    """
    if len(text) > SOURCE_CHARACTERS:
        raise YamlError(
            f"{file}: longer than {SOURCE_CHARACTERS} characters", f"{file}: длиннее {SOURCE_CHARACTERS} знаков"
        )
    whole, begins = both(whole), both(begins)
    root, data = _composed(text, file, begins)
    if not isinstance(data, dict):
        place = f"{file}:{root.start_mark.line + 1}"
        raise YamlError(
            f"{place}: {whole.en} is written as keys with values; {begins.en}",
            f"{place}: {whole.ru}: пишут ключами со значениями; {begins.ru}",
        )
    try:
        read = model.model_validate(data)
    except ValidationError as error:
        found: list[Misfit] = []
        for problem in error.errors(include_url=False):
            misfits = problem.get("ctx", {}).get("places")
            if misfits is None:
                misfits = [Misfit((), *said_of(problem, model, examples or {}))]
            found += [Misfit((*problem["loc"], *path), en, ru) for path, en, ru in misfits]
        raise _told(root, found, file, whole) from error
    if wrong := list(further(read)):
        raise _told(root, wrong, file, whole)
    return Written(read, file, root)


def _composed(text: str, file: str, begins: Words) -> tuple[yaml.Node, Any]:
    """The nodes of a text, and its data. Raises YamlError."""
    for last, kind in enumerate(LOADERS, 1 - len(LOADERS)):
        loader = kind(text)
        try:
            root = loader.get_single_node()
            if root is None:
                raise YamlError(f"{file}: empty; {begins.en}", f"{file}: пусто; {begins.ru}")
            _refuse_keys(root, file, (), set())
            return root, loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            if last == 0:
                raise _syntax(error, file) from error
        except yaml.YAMLError as error:
            if last == 0:
                raise YamlError(f"{file}: {error}") from error
        except RecursionError as error:
            raise YamlError(f"{file}: nested too deep", f"{file}: слишком много уровней") from error
        finally:
            loader.dispose()
    raise AssertionError("the last loader answers or raises")


def _syntax(error: yaml.MarkedYAMLError, file: str) -> YamlError:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    meant = said_of_syntax(str(error.problem or error), str(error.context or ""))
    begun = error.context_mark.line + 1 if error.context_mark else line
    since = begun != line and "open;" in meant.en
    return YamlError(
        f"{file}:{line}: {meant.en}" + (f" (it begins in line {begun})" if since else ""),
        f"{file}:{line}: {meant.ru}" + (f" (начинается в строке {begun})" if since else ""),
    )


def _refuse_keys(node: yaml.Node, file: str, path: tuple[str | int, ...], looked_at: set[int]) -> None:
    """Keys that stand twice, or are no texts. Raises YamlError for the first of them."""
    if id(node) in looked_at:  # one node under several aliases is looked at once
        return
    looked_at.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag != TEXT:
                raise _said_at(file, line, path, said_of_key(key.value if isinstance(key, yaml.ScalarNode) else None))
            name = str(key.value)
            if name in seen:
                words = Words(
                    f"stands twice, first in line {seen[name]}; keep one",
                    f"стоит дважды, впервые в строке {seen[name]}; оставьте один",
                )
                raise _said_at(file, line, (*path, name), words)
            seen[name] = line
            _refuse_keys(value, file, (*path, name), looked_at)
    elif isinstance(node, yaml.SequenceNode):
        for n, item in enumerate(node.value):
            _refuse_keys(item, file, (*path, n), looked_at)


def _said_at(file: str, line: int, path: tuple[str | int, ...], words: Words) -> YamlError:
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    place = f"{file}:{line}: {written}: " if written else f"{file}:{line}: "
    return YamlError(place + words.en, place + words.ru)


def _told(root: yaml.Node, found: Iterable[Misfit], file: str, whole: Words) -> YamlError:
    """All misfits, each on a line with its place, once."""
    en, ru = [], []
    for misfit in found:
        line, path = _walked(root, misfit.path)
        en.append(f"{file}:{line}: {path or whole.en}: {misfit.en}")
        ru.append(f"{file}:{line}: {path or whole.ru}: {misfit.ru}")
    return YamlError("\n".join(dict.fromkeys(en)), "\n".join(dict.fromkeys(ru)))


def _walked(root: yaml.Node, loc: tuple[Any, ...]) -> tuple[int, str]:
    """The line of a path and the path as people write it. What is not written stands at the part it is missing from."""
    node, path, line = root, "", root.start_mark.line + 1
    for step in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == step), None)
            if pair is not None:
                node, line = pair[1], pair[0].start_mark.line + 1
                path += f".{step}"
                continue
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            path, line = f"{path}[{step}]", node.start_mark.line + 1
            continue
        if isinstance(step, str) and not step[:1].isupper():  # in capitals: which of several models was meant
            path += f".{step}"
    return line, path.lstrip(".")

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

from services.pipelines.yaml_words import said_of, said_of_syntax

SOURCE_CHARACTERS = 500_000

Model = TypeVar("Model", bound=BaseModel)


class YamlError(ValueError):
    """A text is wrong; the message says where and how to mend it."""


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


def read_yaml(text: str, model: type[Model], file: str, *, whole: str, begins: str) -> Model:
    """The model in a YAML text. `file` names it in errors, `whole` the thing described, `begins` how such a text begins.

    Raises YamlError.
    """
    return read_written(text, model, file, whole=whole, begins=begins).model


def read_written(
    text: str,
    model: type[Model],
    file: str,
    *,
    whole: str,
    begins: str,
    examples: Mapping[str, str] | None = None,
    further: Callable[[Model], Iterable[tuple[tuple[Any, ...], str]]] = lambda _: (),
) -> Written[Model]:
    """The same, with the places of its parts. `examples`: by key, how it is written; `further` finds what is wrong beyond the
    model, each with its path. Raises YamlError.
    """
    if len(text) > SOURCE_CHARACTERS:
        raise YamlError(f"{file}: longer than {SOURCE_CHARACTERS} characters")
    root, data = _composed(text, file, begins)
    if not isinstance(data, dict):
        raise YamlError(f"{file}:{root.start_mark.line + 1}: {whole} is written as keys with values; {begins}")
    try:
        read = model.model_validate(data)
    except ValidationError as error:
        found = []
        for problem in error.errors(include_url=False):
            misfits = problem.get("ctx", {}).get("places")
            if misfits is None:
                misfits = [((), said_of(problem, model, examples or {}))]
            found += [_said(root, (*problem["loc"], *path), message, file, whole) for path, message in misfits]
        raise YamlError("\n".join(dict.fromkeys(found))) from error
    if wrong := [_said(root, path, message, file, whole) for path, message in further(read)]:
        raise YamlError("\n".join(wrong))
    return Written(read, file, root)


def _composed(text: str, file: str, begins: str) -> tuple[yaml.Node, Any]:
    """The nodes of a text, and its data. Raises YamlError."""
    for last, kind in enumerate(LOADERS, 1 - len(LOADERS)):
        loader = kind(text)
        try:
            root = loader.get_single_node()
            if root is None:
                raise YamlError(f"{file}: empty; {begins}")
            _refuse_duplicates(root, file, set())
            return root, loader.construct_document(root)
        except yaml.MarkedYAMLError as error:
            if last == 0:
                raise YamlError(_syntax(error, file)) from error
        except yaml.YAMLError as error:
            if last == 0:
                raise YamlError(f"{file}: {error}") from error
        except RecursionError as error:
            raise YamlError(f"{file}: nested too deep") from error
        finally:
            loader.dispose()
    raise AssertionError("the last loader answers or raises")


def _syntax(error: yaml.MarkedYAMLError, file: str) -> str:
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    meant = said_of_syntax(str(error.problem or error), str(error.context or ""))
    begun = error.context_mark.line + 1 if error.context_mark else line
    since = f" (it begins in line {begun})" if begun != line and "open;" in meant else ""
    return f"{file}:{line}: {meant}{since}"


def _refuse_duplicates(node: yaml.Node, file: str, looked_at: set[int]) -> None:
    if id(node) in looked_at:  # one node under several aliases is looked at once
        return
    looked_at.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                raise YamlError(f"{file}:{line}: the key {name} stands twice, first in line {seen[name]}; keep one")
            seen[name] = line
            _refuse_duplicates(value, file, looked_at)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, file, looked_at)


def _said(root: yaml.Node, loc: tuple[Any, ...], message: str, file: str, whole: str) -> str:
    line, path = _walked(root, loc)
    return f"{file}:{line}: {path or whole}: {message}"


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

"""Reading YAML that people write, strictly: YAML 1.2 scalars, duplicate keys refused, errors by file, line and path (decision 6).

Pure. Raises `YamlError` for whatever is wrong with the text; its message names the place and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

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


def read_yaml(
    text: str,
    model: type[Model],
    file: str,
    *,
    whole: str,
    begins: str,
    further: Callable[[Model], Iterable[tuple[tuple[Any, ...], str]]] = lambda _: (),
) -> Model:
    """The model in a YAML text. `file` names it in errors, `whole` the thing described, `begins` how such a text begins;
    `further` finds what is wrong beyond the model, each with its path.

    Raises YamlError.
    """
    if len(text) > SOURCE_CHARACTERS:
        raise YamlError(f"{file}: longer than {SOURCE_CHARACTERS} characters")
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                raise YamlError(f"{file}: empty; {begins}")
            _refuse_duplicates(root, file)
            data = loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"{file}:{line}: {error.problem or error}") from error
    except yaml.YAMLError as error:
        raise YamlError(f"{file}: {error}") from error
    except RecursionError as error:
        raise YamlError(f"{file}: nested too deep") from error
    try:
        read = model.model_validate(data)
    except ValidationError as error:
        places = [
            _said(root, (*problem["loc"], *path), message, file, whole)
            for problem in error.errors(include_url=False)
            for path, message in problem.get("ctx", {}).get("places") or [((), problem["msg"])]
        ]
        raise YamlError("\n".join(dict.fromkeys(places))) from error
    if wrong := [_said(root, path, message, file, whole) for path, message in further(read)]:
        raise YamlError("\n".join(wrong))
    return read


def _refuse_duplicates(node: yaml.Node, file: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                raise YamlError(f"{file}:{line}: the key {name} stands twice, first in line {seen[name]}; keep one")
            seen[name] = line
            _refuse_duplicates(value, file)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, file)


def _said(root: yaml.Node, loc: tuple[Any, ...], message: str, file: str, whole: str) -> str:
    node, path = root, ""
    for step in loc:
        following = None
        if isinstance(node, yaml.MappingNode):
            following = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            following = node.value[step]
        if following is None:
            if isinstance(step, str) and not step[:1].isupper():
                path += f".{step}"
            continue
        node = following
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"{file}:{node.start_mark.line + 1}: {path.lstrip('.') or whole}: {message.removeprefix('Value error, ')}"

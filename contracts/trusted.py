"""Models made of parts that were valid before, without asking again: for what a service makes by the thousand.

Pydantic's own `model_construct` copies defaults field by field and costs about as much as validation. Invariants: every field
without a default is given, and all values are of their types as validation would leave them; the caller sees to that, nothing is
checked here. What comes from outside never goes this way.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


def trusted(model: type[Model], **values: Any) -> Model:
    """The model of these values; fields that are not given stand at their defaults. A model with a default that is made anew
    each time, or with private attributes, is not for this."""
    return put_together(model, {**_defaults(model), **values}, set(values))


def put_together(model: type[Model], values: dict[str, Any], given: set[str]) -> Model:
    """The model of these values, all fields there, of which these were `given`. The dict becomes the model's own."""
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", given)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    fields = model.model_fields.items()
    made_anew = [name for name, field in fields if field.default_factory is not None]
    assert not made_anew, f"{model.__name__}: {', '.join(made_anew)} have no one default"
    return {name: None if field.is_required() else field.default for name, field in fields}

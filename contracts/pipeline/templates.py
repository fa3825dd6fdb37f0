"""Letters and short messages to clients, as a pipeline states them (R3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from contracts.pipeline.names import Misfit, misfits
from contracts.pipeline.parts import Id, Model, Titles

TEMPLATE_CHARACTERS: Final = 50_000


class TemplateText(Model):
    """A template in one language (minijinja): subject of a letter, text, and the same as HTML."""

    subject: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    text: Annotated[str, Field(min_length=1, max_length=TEMPLATE_CHARACTERS)]
    html: Annotated[str, Field(min_length=1, max_length=TEMPLATE_CHARACTERS)] | None = None


class Template(Model):
    """A letter or a short message, in both languages. `marketing`: it carries a way to unsubscribe, and is never sent against a
    refusal of advertising (C7)."""

    id: Id
    titles: Titles
    kind: Literal["email", "sms"]
    ru: TemplateText
    en: TemplateText
    marketing: bool = False

    @model_validator(mode="after")
    def _as_its_kind_asks(self) -> Template:
        if (error := misfits(self._misfits())) is not None:
            raise error
        return self

    def _misfits(self) -> Iterator[Misfit]:
        for language, text in (("ru", self.ru), ("en", self.en)):
            if self.kind == "email" and text.subject is None:
                yield Misfit(
                    (language, "subject"),
                    f"template {self.id}: a letter needs a subject",
                    f"шаблон {self.id}: письму нужна тема",
                )
            if self.kind == "sms":
                for what in ("subject", "html"):
                    if getattr(text, what) is not None:
                        yield Misfit(
                            (language, what),
                            f"template {self.id}: a short message has no {what}; take it away",
                            f"шаблон {self.id}: у SMS нет {what}; уберите",
                        )

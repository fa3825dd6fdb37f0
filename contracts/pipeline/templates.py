"""Templates of what is written to the client: letters and short messages, in Russian and English (R3).

A template's texts are `minijinja` within limits (`services.pipelines.templates`): here they are texts only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from contracts.pipeline.names import Misfit, misfits
from contracts.pipeline.parts import Id, Model, Titles

TEMPLATE_CHARACTERS: Final = 50_000
SUBJECT_CHARACTERS: Final = 500
_Text = Annotated[str, Field(min_length=1, max_length=TEMPLATE_CHARACTERS)]


class TemplateText(Model):
    """What is written in one language. `html`: the same letter with markup, beside the plain text, never instead of it."""

    subject: Annotated[str, Field(min_length=1, max_length=SUBJECT_CHARACTERS)] | None = None
    text: _Text
    html: _Text | None = None


class Template(Model):
    """A letter or a short message. `marketing`: it advertises, so it has to say how one ends it, and obeys that (C7)."""

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
        here, here_ru = f"template {self.id}", f"шаблон {self.id}"
        for language, written in (("ru", self.ru), ("en", self.en)):
            if self.kind == "email" and (written.subject is None or not written.subject.strip()):
                yield Misfit(
                    (language, "subject"),
                    f"{here}: a letter needs a subject in both languages; write {language}.subject",
                    f"{here_ru}: письму нужна тема на обоих языках; напишите {language}.subject",
                )
            if not written.text.strip():
                yield Misfit(
                    (language, "text"),
                    f"{here}: {language}.text is blank; write what the client is to read",
                    f"{here_ru}: {language}.text пуст; напишите, что прочтёт клиент",
                )
            for what in ("subject", "html"):
                if self.kind == "sms" and getattr(written, what) is not None:
                    yield Misfit(
                        (language, what),
                        f"{here}: a short message is its text alone; take {language}.{what} away, or write kind: email",
                        f"{here_ru}: SMS — это только текст; уберите {language}.{what} или напишите kind: email",
                    )

"""`leadline pipelines`, `archive PIPELINE`, `restore PIPELINE` (N14).

Exit status of `archive`: 0 done, or so already; 1 when leads stand in the way: the first are named, and how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.ops.place import OpsError, Place
from services.ops.terminal import console, plain, print_json

if TYPE_CHECKING:
    from services.settings import Settings

DONE, IN_THE_WAY = 0, 1


async def pipelines(place: Place, *, as_json: bool) -> int:
    """List the pipelines: version in force, since when, leads, archived or not."""
    from services.leads.publishing.listing import listed
    from services.ops.connect import ops_connection

    settings = place.settings()
    async with ops_connection(settings) as database:
        found = await listed(database)
    if as_json:
        print_json([{**one.as_object(), "default": one.pipeline == settings.default_pipeline} for one in found])
        return DONE
    english, out = settings.language == "en", console()
    for one in found:
        title = one.titles.en if english else one.titles.ru
        marks = []
        if one.pipeline == settings.default_pipeline:
            marks.append("new leads come here" if english else "сюда приходят новые лиды")
        if one.archived_at is not None:
            marks.append("archived" if english else "в архиве")
        if one.behind:
            marks.append(f"{one.behind} under older versions" if english else f"по старым версиям: {one.behind}")
        counts = ", ".join(f"{kind} {count:,}" for kind, count in one.leads.items()) or "—"
        mark = f"  [{'; '.join(marks)}]" if marks else ""
        out.print(plain(f"{one.pipeline}@{one.number}  {title}: {counts}") + mark)
    return DONE


async def archive(place: Place, pipeline: str, *, as_json: bool) -> int:
    """Archive a pipeline. Raises OpsError for one that is not there or must not be."""
    from services.leads.publishing import archive as archiving
    from services.ops.connect import clock_of_system, ops_pool
    from services.ops.publishing.command import publisher
    from services.pipelines.registry import NoSuchPipelineError

    settings = place.settings()
    try:
        async with ops_pool(settings) as pool:
            clock = await clock_of_system(settings, pool)
            made = await archiving.archive(pool, clock, pipeline, publisher(), settings.default_pipeline)
    except NoSuchPipelineError as error:
        raise OpsError(str(error)) from None
    except archiving.CannotArchiveError as error:
        raise OpsError(error.en if settings.language == "en" else error.ru, IN_THE_WAY) from None
    except archiving.InTheWayError as error:
        _in_the_way(settings, error.pipeline, error.count, error.leads, as_json=as_json)
        return IN_THE_WAY
    _done(settings, pipeline, made.number, "archived", made.changed, as_json=as_json)
    return DONE


async def restore(place: Place, pipeline: str, *, as_json: bool) -> int:
    """Bring a pipeline back from the archive. Raises OpsError for one that is not there."""
    from services.leads.publishing import archive as archiving
    from services.ops.connect import clock_of_system, ops_pool
    from services.ops.publishing.command import publisher
    from services.pipelines.registry import NoSuchPipelineError

    settings = place.settings()
    try:
        async with ops_pool(settings) as pool:
            clock = await clock_of_system(settings, pool)
            made = await archiving.restore(pool, clock, pipeline, publisher())
    except NoSuchPipelineError as error:
        raise OpsError(str(error)) from None
    _done(settings, pipeline, made.number, "restored", made.changed, as_json=as_json)
    return DONE


def _in_the_way(settings: Settings, pipeline: str, count: int, leads: list[Any], *, as_json: bool) -> None:
    if as_json:
        named = [{"lead": str(lead), "stage": stage} for lead, stage in leads]
        print_json({"pipeline": pipeline, "archived": False, "in_the_way": count, "leads": named})
        return
    english, out = settings.language == "en", console()
    out.print(
        f"not archived: {count:,} open or paused leads stand in {pipeline}; close them, or have them go on elsewhere "
        "(the command adopt):"
        if english
        else f"не в архиве: в воронке {pipeline} стоят открытые и отложенные лиды, {count:,}; закройте их или переведите "
        "в другую (команда adopt):"
    )
    for lead, stage in leads:
        out.print(f"  {lead}  {stage}")
    if count > len(leads):
        more = count - len(leads)
        out.print(f"  and {more:,} more" if english else f"  и ещё {more:,}")


def _done(settings: Settings, pipeline: str, number: int, what: str, changed: bool, *, as_json: bool) -> None:
    if as_json:
        print_json({"pipeline": pipeline, "number": number, "archived": what == "archived", "changed": changed})
        return
    said = {
        "archived": ("в архиве; вернуть: leadline restore", "archived; to bring it back: leadline restore"),
        "restored": ("снова действует", "in force again"),
    }[what][settings.language == "en"]
    console().print(f"{pipeline}: {said}" + (f" {pipeline}" if what == "archived" else ""))

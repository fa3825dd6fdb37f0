"""What each consumer says it has applied of a stream, against the store: versions and digests (decision 4, M6).

Pure. A consumer that has applied what the store does not have proves that the store lost its last events or was restored from
an older copy; one that lags is no difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.ops.verify.chain import Stream
from services.ops.verify.report import Report
from services.ops.verify.store import SeenRow


def check_seen(streams: Mapping[UUID, Stream], seen: Sequence[SeenRow], report: Report) -> None:
    """The rows of `leadline.seen` of a range of streams."""
    for row in seen:
        about, consumer = f"{row.stream}-{row.version}", f"{row.consumer}/{row.build}"
        stream = streams.get(row.stream)
        if stream is None:
            report.differ(
                "store", "missing", str(row.stream), f"{consumer} has applied a stream that the store does not have"
            )
        elif row.version > stream.version:
            report.differ(
                "store", "missing", about, f"{consumer} has applied it; the store ends at version {stream.version}"
            )
        elif (digest := stream.digest_at(row.version)) is not None and digest != row.digest:
            report.differ("store", "altered", about, f"{consumer} has applied an event of another digest")
        elif row.version < stream.version:
            report.counts[f"streams {consumer} is still behind on"] += 1

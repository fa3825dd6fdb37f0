"""`leadline rebuild`: a projection is made anew beside the live one, compared with it row by row, swapped in (M8, decision
11).

The events come from the event store, up to what the live consumer has applied of each stream (`leadline.seen`), so that both
builds can be compared at any moment and not only where the live one was stopped (`docs/decisions/0006`). Steps: fill the new
build by ranges of streams; follow the live one in rounds until few streams are left; compare all rows in one snapshot, the
live one going on; then, the live one held for a moment, take over the last streams, compare these, and swap. Killed at any
step it leaves the live build as it is; the next run goes on where the last committed range ended.
"""

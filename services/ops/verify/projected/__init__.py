"""The projections against an independent fold of the same events, row by row (M2).

`folds` says what must be there, `store` reads what is there, `compare` names what differs. To verify a further projection:
its expected rows in `folds`, its reads in `store`, a table of `compare.check`.
"""

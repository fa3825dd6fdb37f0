"""The rules of leads and contacts, pure: `decide` makes events, `evolve` folds them, `rules` says what is refused and why.

No I/O, no clock, no random: ids and times come in. The import linter holds it.
"""

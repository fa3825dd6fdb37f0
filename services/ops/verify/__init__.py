"""`leadline verify`: proves, while the system runs, that all parts hold the same facts, none lost, none twice (M2, M6).

One REPEATABLE READ snapshot gives the events, the outbox, every claim and every projection as of one moment; the ends of the
topics are noted after it. What must hold then (decision 14):

- `chain`: each stream's digests, recomputed, and its versions without gaps; envelope and columns say the same;
- `topics`: each event that is not in the outbox is on its topic, byte for byte, in order; nothing more is there;
- `claims`: open leads, identities and keys as the events say;
- `inbound`: each message received has an outcome or still waits; each event of a message is one outcome, once;
- `projections`: each row as an independent fold of the same events says, up to what the projection has seen.

Nothing here uses the production's fold (`apply`, `evolve`): a fault in that would agree with itself.
"""

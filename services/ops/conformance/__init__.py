"""Whether an adapter keeps the contract of inbound messages: rules one by one, over a file or over what really came (K5).

`rules` are pure; `reading` takes messages from a JSON-lines file, `listening` from a running system's topic and intake;
`command` is `leadline conformance`.
"""

"""From the bytes of a letter to what it says. Pure: no I/O, no clock; any bytes give a result in bounded time."""

"""What a server's real clients do to it: counted while they come, without a connection of our own.

    symbols      where functions of the kernel lie, to know a wake-up by its callers
    trace        one ring per CPU with all that is traced of the workers
    records      from their bytes to what happened, in order of time
    later        what waits until the counting is over
    account      from that to connections: who slept, who was woken, who took it, who found nothing
    queue        the accept queue, and what the listener dropped
    waiters      who waits for the listener of a server that does not rest
    cost         what a record costs this machine
    watched      how much was observed, and what that took
    figures      from the account to figures
    judge        and to a verdict
    watching     all of it, in order

Nothing here stops, wakes or delays a thread of the server but by what a tracepoint takes to write its record.
"""

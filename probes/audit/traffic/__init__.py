"""What a server's real clients do to it: counted while they come, without a connection of our own.

    symbols      addresses of kernel functions, by which a wake-up's callers are recognised
    events       which tracepoints are opened, and what passes their filters
    trace        one ring per CPU, with everything that is traced of the workers
    records      turns the rings' bytes into events, in order of time
    later        work that is put off until the counting is over
    account      turns events into connections: who slept, who was woken, who took it, who found nothing
    beside       whether the workers share another UDP socket
    queue        the accept queue, and what the listener dropped
    waiters      who waits for the listener of a server that does not rest
    cost         how long a record takes on this machine
    watched      how much was observed, and what that cost
    switches     what can be said without the tracepoints
    figures      turns the account into figures
    judge        turns the figures into a verdict
    words        the figures, for people
    counting     the watch itself: takes the records, and keeps their number below a bound
    watching     all of it, in order

Nothing here stops or wakes a thread of the server, or delays it by more than a tracepoint takes to write its record.
"""

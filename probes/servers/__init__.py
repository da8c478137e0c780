"""The textbook servers, small enough to read and whole enough to copy: `wakecheck serve --help`.

    fork.py           a process for each connection, which is waited for; reloads on SIGHUP
    serialised.py     workers that take turns in accept, under a lock
    epoll.py          workers with an epoll instance each on one listener: level, edge, exclusive
    accept_mutex.py   the same, and only who has the mutex has the listener in its instance (nginx's way)
    reuseport.py      workers with a listener each, all on one address

All of them echo what a client sends until it has ended its side.  They share `listening` (a listener,
and accept with its errors), `echo` (one client), `loop` (many clients on one epoll instance) and
`prefork` (the parent of workers).  A comment that justifies a decision names the claim that judges
it on the kernel at hand: `wakecheck show CLAIM`.
"""

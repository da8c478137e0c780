"""The textbook servers, short enough to read and complete enough to copy: `wakecheck serve --help`.

    fork.py           a process for each connection; reloads its greeting on SIGHUP
    serialised.py     workers that take turns in accept, under a lock
    epoll.py          workers with an epoll instance each on one listener: level, edge, exclusive
    accept_mutex.py   the same, but only the holder of a mutex has the listener in its instance (nginx's way)
    reuseport.py      workers with a listener each, all on one address

All of them echo what a client sends until it closes its side.  They share `listening` (a listener, and accept with its
errors), `echo` (one client), `loop` (many clients on one epoll instance) and `prefork` (the parent of workers).  A
comment that justifies a decision names the claim that judges it on this kernel: `wakecheck show CLAIM`.
"""

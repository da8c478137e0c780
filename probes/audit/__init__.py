"""Examines a running server: how its workers wait, and how many of them one connection wakes.

    arguments    the options, and which of them are refused
    sock_diag    the kernel's lists of sockets, by netlink
    sockets      listening sockets, and how to reach them
    namespace    the network namespace of another process
    unix_path    the file of a unix socket, as its server sees it
    names        the name of a server, and its command line
    origin       whether the server bound the listener itself, or was given it
    closed       why this user may not look into a process
    find         from a port, a path or a pid to one listener and the processes that hold it
    settings     backlog, SO_REUSEPORT and TCP_DEFER_ACCEPT of a live listener
    waits        the call that each thread is blocked in, and whether it waits for the listener
    locks        whether it waits for a lock between processes
    registered   epoll instances: what is registered in each, with which flags, and who shares it
    workers      which threads are the workers
    strategy     how they wait: the strategy's id in the lab, and a sentence
    watch        looks at all threads, until two looks are equal
    idle         which threads move while nobody connects
    caller       the child process that connects
    wakers       who woke whom: sched_waking, by thread id
    returns      which calls returned: sys_exit, by thread id
    winners      which process took a connection: the one that holds its socket
    traced       returns by ptrace, only if the user asks for it
    eyes         the observers that are available here
    count        makes one connection after another, and reads the observers
    judge        the figures, and the verdict
    situation    what the advice depends on
    advice       what to change
    compare      what the lab measures for the same strategy
    start        a server that the audit starts and stops itself
    several      a server with several listeners
    answer       the answer, for programs
    words        the answer, for people
    auditing     all of it, in order
    traffic/     --watch: what the server's own clients do to it

Nothing here but `traced` attaches to the server: the audit reads /proc, makes connections, and opens tracepoints.
"""

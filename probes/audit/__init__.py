"""Looks at a server that runs already: how its workers wait, and how many of them one connection wakes.

    arguments    what the user may say, and what is refused
    sock_diag    what the kernel answers about sockets by netlink
    sockets      listening sockets, and how to reach them
    namespace    the network namespace of another process
    unix_path    the file of a unix socket, as its server finds it
    names        what a server is called, and the words that it was started with
    origin       whether the server bound the listener itself, or was handed it
    closed       why this user may not look into a process
    find         from a port, a path, a pid to one listener and the processes that hold it
    settings     backlog, SO_REUSEPORT, TCP_DEFER_ACCEPT of a live listener
    waits        what each thread is blocked in, and whether the listener is part of it
    locks        whether that is a lock between processes
    registered   epoll instances: what is registered with which flags, and who shares one
    workers      who the workers are
    strategy     how they wait: an id of the lab's, and a sentence
    watch        looks at all threads, until two are equal
    idle         what moves while nobody connects
    caller       the child process that connects
    wakers       who woke whom: sched_waking, by thread id
    returns      which calls came back: sys_exit, by thread id
    winners      who took a connection, by who holds its socket
    traced       the same by ptrace, only where it is asked for
    eyes         the observers that may be had here
    count        one connection after another
    judge        figures, and the verdict
    situation    what advice depends on
    advice       what to change
    compare      what the lab measures for the same strategy
    start        a server that the audit starts and stops itself
    answer       the answer, for programs
    words        the answer, for people
    auditing     all of it, in order

Nothing here attaches to the server: /proc is read, connections are made, tracepoints are listened to.
"""

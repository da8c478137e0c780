"""Which broken kernels the chapters of experiments would catch: written down, because no model plays them.

That each fact of an experiment counts is tested in test_experiments_can_fail.py; the claims named here
must exist, and every chapter must be answered for, here or by a model.
"""

from __future__ import annotations

CAUGHT: dict[str, dict[str, str]] = {
    "accept-locks": {
        "unlocking wakes every one that waits (a futex_wake that ignores its number, a pipe before Linux 5.6)": (
            "accept-locks.unlock-wakes-one"
        ),
        "a lock is handed to the one that asked last, or to any": "accept-locks.first-in-first-out",
        "a semaphore can be taken by who asks last, before it was given to who waits": (
            "accept-locks.semaphores-go-round"
        ),
        "a file lock, SEM_UNDO or a robust mutex is not released when its holder is killed": (
            "accept-locks.killed-holder"
        ),
        "a lock waiter that is killed stays in line, and swallows the hand-over": "accept-locks.killed-waiter",
        "a requeue wakes all, or leaves those that it moves asleep for ever": "accept-locks.requeue-wakes-as-many",
        "a wait for several futexes tells of the first, whichever was woken": "accept-locks.waitv-tells-which",
        "an IPC namespace shows the semaphores of another one": "accept-locks.namespace-hides-semaphore",
    },
    "death": {
        "a connection that was told to a worker which then died is told to nobody, level-triggered": (
            "death.all-told-nothing-lost"
        ),
        "a stopped waiter swallows a wake-up that another one could have used": "death.stopped-swallows-nothing",
        "SIGCONT alone ends a wait that it should not end": "death.stop-ends-no-other",
        "shutdown leaves those that sleep in accept asleep": "death.shutdown-ends-accept",
        "a listener that was shut down is deaf when it listens again": "death.listens-again-after-shutdown",
        "closing a descriptor elsewhere ends the wait of who has another": "death.close-elsewhere",
    },
    "epoll-ctl": {
        "EPOLLEXCLUSIVE is taken together with any flag, by MOD, or on an epoll descriptor": (
            "epoll-ctl.exclusive-refuses-others"
        ),
        "a descriptor can be added twice": "epoll-ctl.twice-is-eexist",
    },
    "epoll-graphs": {
        "a shared level-triggered instance wakes one of its waiters (Linux 5.6)": "epoll-graphs.both-report",
        "an edge-triggered event is reported by two": "epoll-graphs.edge-reports-once",
        "poll on an instance takes an event from it": "epoll-graphs.level-again-edge-once",
        "of several events at once some wake nobody": "epoll-graphs.one-source-each",
    },
    "epoll-instances": {
        "epoll_wait tells the first maxevents again and again, and starves the rest": (
            "epoll-instances.maxevents-round-robin"
        ),
        "the ready list is kept in another order": "epoll-instances.maxevents-order",
        "an edge for which there was no room is forgotten": "epoll-instances.maxevents-keeps-edges",
        "two chunks, edge-triggered, are told as one (pipes in Linux 5.5)": "epoll-instances.each-chunk-an-edge",
        "EPOLL_CTL_MOD forgets to look whether the descriptor is ready": "epoll-instances.mod-looks-again",
        "EPOLL_CTL_MOD wakes nobody who is just about to sleep (before 65759097d804, say)": (
            "epoll-instances.mod-beside-a-wait"
        ),
        "an instance may hold itself": "epoll-instances.not-in-itself",
    },
    "epoll-triggers": {
        "level-triggered readiness is told once": "epoll-triggers.level-told-while-ready",
        "edge-triggered readiness is told again for what was left": "epoll-triggers.edge-told-once-per-change",
        "a oneshot item arms itself again": "epoll-triggers.oneshot-until-mod",
        "a closed descriptor is forgotten while a copy is open": "epoll-triggers.leaves-with-last-copy",
    },
    "io-uring": {
        "a ring with DEFER_TASKRUN wakes its owner, wherever that sleeps": "io-uring.deferred-lets-its-owner-sleep",
        "a task may submit to a ring with SINGLE_ISSUER that another one made": "io-uring.single-issuer-alone",
        "a completion that has no room in its queue is dropped": "io-uring.full-queue-loses-nothing",
        "a multishot accept ends and does not say so": "io-uring.multishot-goes-on",
        "a ring whose queue is full keeps on taking connections from the others": "io-uring.full-ring-steps-aside",
        "a multishot poll completes again and again for what is left unread": "io-uring.multishot-poll-is-an-edge",
        "a multishot poll whose queue is full tells nothing more, and does not say so": (
            "io-uring.multishot-poll-says-that-it-ends"
        ),
        "reads of an eventfd are served in the order of arming": "io-uring.last-read-gets-the-event",
    },
    "limits": {
        "a wait ends when a third of its time limit is left": "limits.never-early",
        "a wait whose time limit has expired spins in the kernel (before d9ec73301099)": "limits.ends-with-zero",
        "a wake-up in vain ends a wait that has a time limit": "limits.woken-in-vain",
        "SO_RCVTIMEO ends accept too early, or with another error": "limits.receivers-end-with-eagain",
        "who loses a byte to another one returns at once": "limits.losers-wait-on",
        "poll forgets a descriptor that another thread closes": "limits.closed-is-told-at-the-end",
    },
    "sources": {
        "the last writer of a pipe that closes it wakes one of its readers (pipes in Linux 5.6-rc1)": (
            "sources.end-of-file-tells-all"
        ),
        "the last reader of a pipe that closes it wakes one of its writers": "sources.no-reader-tells-all-writers",
        "a shutdown here leaves those asleep that poll the same end": "sources.own-shutdown-is-rdhup",
        "a terminal tells nothing to who asks for POLLRDNORM (before Linux 5.17)": "sources.normal-data-is-input",
        "a pipe that is not empty signals nothing (Linux 5.5 to 5.13)": "sources.pipe-signals-each-write",
        "a pipe that is made larger wakes no writer (before Linux 6.8)": "sources.larger-pipe-wakes-writers",
        "TCP never reports POLLRDHUP": "sources.half-closed-is-rdhup",
        "a socket that does not listen yet makes who waits for it sleep": "sources.hangs-up-before-listen",
    },
    "mixed": {
        "who waits for two sources is woken by the first of them alone": "mixed.two-sources-each-wakes-all",
        "an instance told of two edges at once returns one waiter": "mixed.two-edges-return-two",
        "epoll_wait takes an event before those that poll the instance are woken": "mixed.pollers-beside-all-woken",
        "EPOLLEXCLUSIVE ends the walk at a worker that is busy": "mixed.two-exclusive-listeners",
        "an EPOLLEXCLUSIVE instance stands before every reader of a pipe, or behind": "mixed.read-beside-exclusive",
        "an exclusive waiter ends the walk before the plain ones behind it": "mixed.plain-all-exclusive-some",
        "poll beside accept takes the wake-up that accept needs": "mixed.accept-beside-plain-takes",
        "an outer instance does not hear of an inner one": "mixed.outer-private-all",
        "a worker that comes back stands behind the others (or before them) where it should not": (
            "mixed.busy-favourite-comes-back"
        ),
    },
    "reuseport-group": {
        "another user may join a group, and steal its connections": "reuseport-group.same-user-only",
        "a socket that never set SO_REUSEPORT is joined": "reuseport-group.every-member-sets-it",
        "a selector's index counts in the order of bind": "reuseport-group.selector-index",
        "an index that nobody has drops the connection": "reuseport-group.invalid-index-falls-back",
        "a migrated connection is queued, and its waiter sleeps on": "reuseport-group.migration-wakes",
        "a selector is run on another CPU than the one that the connection came in on": (
            "reuseport-group.selector-by-cpu"
        ),
        "the selector that was attached first stays": "reuseport-group.last-selector-counts",
        "a datagram wakes a waiter on each member of the group": "reuseport-group.datagrams-of-one-sender",
        "SO_INCOMING_CPU is taken and ignored (before Linux 6.2)": "reuseport-group.incoming-cpu",
    },
    "phantoms": {
        "listen, called once more, wakes those that wait": "phantoms.no-connection-wakes-nobody",
        "another path of an accepted connection wakes who waits for a new one": "phantoms.another-path-wakes-nobody",
        "the first segment of a handshake wakes who waits for a connection": "phantoms.lone-syn-wakes-nobody",
        "a member that leaves a group wakes those of another member": "phantoms.group-changes-wake-nobody",
    },
    "reuseport": {
        "a member of a group of eight gets twice what each of the others gets": "reuseport.even-shares",
    },
    "server": {
        "accept without a free descriptor loses the connection": "server.emfile-keeps-the-connection",
        "a dead child is gone before its parent has waited for it": "server.zombie-until-waited-for",
        "SIGCHLD without a handler ends a wait": "server.unhandled-sigchld-wakes-nobody",
        "a port is free while a child still listens on it": "server.child-keeps-the-port",
        "EPOLLEXCLUSIVE does nothing, or a file lock that is given up wakes all": "server.woken-per-connection",
        "the queue of a listener is reset with its last worker, though the parent keeps it open": (
            "server.kept-listener-keeps-its-queue"
        ),
        "a port stays taken while a child that closed the listener lives": "server.child-frees-the-port",
    },
    "signals": {
        "accept ends with EINTR in spite of SA_RESTART": "signals.accept-restarts",
        "poll or epoll_wait is restarted after a handler": "signals.multiplexers-never-restart",
    },
    "sockets": {
        "a waiter is woken by half a handshake": "sockets.accept-after-handshake",
        "a full queue resets clients that it should ignore; or the setting for that does nothing": (
            "sockets.overflow-is-reset"
        ),
        "an accepted socket inherits O_NONBLOCK": "sockets.accepted-inherit-no-flags",
        "TCP_DEFER_ACCEPT wakes for a connection without data": "sockets.defer-accept-waits-for-data",
        "TCP_DEFER_ACCEPT keeps a silent client for ever": "sockets.defer-accept-gives-up",
        "accept takes another connection than the first": "sockets.accept-takes-the-first",
        "data of an old client wake who waits for a new one": "sockets.old-clients-wake-nobody",
    },
    "signal-driven": {
        "the first owner of a listener stays its owner": "signal-driven.last-owner-alone",
        "SIGIO is queued once for each connection": "signal-driven.told-once",
    },
}
"""For each chapter: what is wrong with a kernel, and a claim that breaks on it."""

"""Which broken kernels the claims about experiments would catch; a table, because no model plays experiments.

That each fact of an experiment counts is tested in test_experiments_can_fail.py; the claims named here
must exist, and every chapter must be answered for, here or by a model.
"""

from __future__ import annotations

CAUGHT: dict[str, dict[str, str]] = {
    "accept-locks": {
        "an unlock wakes every waiter (a futex_wake that ignores its count, a pipe before Linux 5.6)": (
            "accept-locks.unlock-wakes-one"
        ),
        "a lock goes to the waiter that asked last, or to a random one": "accept-locks.first-in-first-out",
        "a newcomer can take a semaphore before those that already wait": ("accept-locks.semaphores-go-round"),
        "a file lock, SEM_UNDO or a robust mutex is not released when its holder is killed": (
            "accept-locks.killed-holder"
        ),
        "a lock waiter that is killed stays in line, and swallows the hand-over": "accept-locks.killed-waiter",
        "a requeue wakes all, or leaves those that it moves asleep forever": "accept-locks.requeue-wakes-as-many",
        "FUTEX_WAKE wakes everyone, whatever its number": "accept-locks.futex-wakes-as-many",
        "FUTEX_WAKE wakes a waiter of another futex (one huge page, before Linux 3.11)": (
            "accept-locks.futex-wakes-its-own"
        ),
        "a wait for several futexes always reports the first, whichever was woken": "accept-locks.waitv-tells-which",
        "an IPC namespace shows the semaphores of another": "accept-locks.namespace-hides-semaphore",
    },
    "death": {
        "a connection reported to a worker that then dies is never reported again, level-triggered": (
            "death.all-told-nothing-lost"
        ),
        "a stopped waiter swallows a wake-up that another could have used": "death.stopped-swallows-nothing",
        "SIGCONT alone ends a wait that it should not end": "death.stop-ends-no-other",
        "shutdown leaves waiters asleep in accept": "death.shutdown-ends-accept",
        "a listener that was shut down wakes nobody when it listens again": "death.listens-again-after-shutdown",
        "closing one descriptor ends the wait of a process that has another": "death.close-elsewhere",
    },
    "epoll-ctl": {
        "EPOLLEXCLUSIVE is taken together with any flag, by MOD, or on an epoll descriptor": (
            "epoll-ctl.exclusive-refuses-others"
        ),
        "a descriptor can be added twice": "epoll-ctl.twice-is-eexist",
    },
    "epoll-graphs": {
        "a shared level-triggered instance wakes only one of its waiters (Linux 5.5 to 5.12)": (
            "epoll-graphs.both-report"
        ),
        "two instances report one edge-triggered event": "epoll-graphs.edge-reports-once",
        "poll on an instance takes an event from it": "epoll-graphs.level-again-edge-once",
        "some of several simultaneous events wake nobody": "epoll-graphs.one-source-each",
    },
    "epoll-instances": {
        "epoll_wait reports the first maxevents again and again, and starves the rest": (
            "epoll-instances.maxevents-round-robin"
        ),
        "the ready list has another order": "epoll-instances.maxevents-order",
        "an edge that did not fit into the buffer is lost": "epoll-instances.maxevents-keeps-edges",
        "two chunks, edge-triggered, are reported as one (pipes in Linux 5.5 to 5.13)": (
            "epoll-instances.each-chunk-an-edge"
        ),
        "EPOLL_CTL_MOD does not check whether the descriptor is ready": "epoll-instances.mod-looks-again",
        "EPOLL_CTL_MOD misses a waiter that is just about to sleep (as before 65759097d804)": (
            "epoll-instances.mod-beside-a-wait"
        ),
        "an instance may contain itself": "epoll-instances.not-in-itself",
    },
    "epoll-triggers": {
        "level-triggered readiness is reported only once": "epoll-triggers.level-told-while-ready",
        "edge-triggered readiness is reported again for what was left unread": (
            "epoll-triggers.edge-told-once-per-change"
        ),
        "a oneshot item re-arms itself": "epoll-triggers.oneshot-until-mod",
        "a closed descriptor is forgotten while a copy is open": "epoll-triggers.leaves-with-last-copy",
    },
    "io-uring": {
        "a ring with DEFER_TASKRUN wakes its owner wherever it sleeps": "io-uring.deferred-lets-its-owner-sleep",
        "a task may submit to a ring with SINGLE_ISSUER that another task set up": "io-uring.single-issuer-alone",
        "a completion that finds the queue full is dropped": "io-uring.full-queue-loses-nothing",
        "a multishot accept ends without saying so": "io-uring.multishot-goes-on",
        "a ring whose queue is full keeps taking connections that others could have": "io-uring.full-ring-steps-aside",
        "a multishot poll completes again and again for unread data": "io-uring.multishot-poll-is-an-edge",
        "a multishot poll whose queue is full ends without saying so": ("io-uring.multishot-poll-says-that-it-ends"),
        "reads of an eventfd complete in the order in which they were armed": "io-uring.last-read-gets-the-event",
        "a multishot poll on the eventfd of its own ring never ends (before 4464853277d0), or falls silent": (
            "io-uring.own-news-end-a-poll"
        ),
        "a poll changed to ask for what is there never completes (before Linux 6.19)": (
            "io-uring.changed-poll-is-looked-at"
        ),
        "a cancelled request stays in the queue, and swallows what comes next": (
            "io-uring.cancelled-request-swallows-nothing"
        ),
        "a multishot receive misses an end that comes right after data (before a68ed2df7213)": (
            "io-uring.multishot-receive-hears-the-end"
        ),
    },
    "limits": {
        "a wait ends with a third of its time limit left": "limits.never-early",
        "a wait with an expired time limit spins in the kernel (before d9ec73301099)": "limits.ends-with-zero",
        "a spurious wake-up ends a wait that has a time limit": "limits.woken-in-vain",
        "SO_RCVTIMEO ends accept too early, or with another error": "limits.receivers-end-with-eagain",
        "a reader that loses the byte to another returns at once": "limits.losers-wait-on",
        "poll forgets a descriptor that another thread closes": "limits.closed-is-told-at-the-end",
        "a wait for a message, a semaphore, a futex or a completion ends too early, or spins": (
            "limits.others-end-with-their-errno"
        ),
    },
    "listeners": {
        "a vsock listener that is shut down refuses connections, or ends what waits on it": (
            "listeners.vsock-shutdown-refused"
        ),
        "a vsock listener is gone as soon as its last descriptor is closed, whoever sleeps on it": (
            "listeners.vsock-sleeper-keeps-it"
        ),
    },
    "sources": {
        "the end of a vsock connection is told to one of its readers, or not as POLLRDHUP": (
            "sources.vsock-ends-are-told"
        ),
        "when the last writer of a pipe closes it, only one of the readers wakes (pipes in Linux 5.6-rc1 and rc2)": (
            "sources.end-of-file-tells-all"
        ),
        "when the last reader of a pipe closes it, only one of the writers wakes": (
            "sources.no-reader-tells-all-writers"
        ),
        "when the last reader of a pipe closes it, only one of those that poll for room wakes": (
            "sources.no-reader-wakes-pollers"
        ),
        "a killed waiter stays in the queue, and swallows what comes next": "sources.killed-waiter-swallows-nothing",
        "removing a queue or a semaphore leaves its waiters asleep": "sources.removal-tells-all",
        "shutdown leaves those that poll the same end asleep": "sources.own-shutdown-is-rdhup",
        "a terminal does not report POLLRDNORM (before Linux 5.17)": "sources.normal-data-is-input",
        "a write to a pipe that is not empty sends no signal (Linux 5.5 to 5.13)": "sources.pipe-signals-each-write",
        "enlarging a pipe wakes no writer (Linux 5.8 to 6.7)": "sources.larger-pipe-wakes-writers",
        "TCP never reports POLLRDHUP": "sources.half-closed-is-rdhup",
        "waiting on a socket that does not listen yet blocks": "sources.hangs-up-before-listen",
    },
    "mixed": {
        "a waiter on two sources is woken only by the first": "mixed.two-sources-each-wakes-all",
        "an instance that gets two edges at once returns only one waiter": "mixed.two-edges-return-two",
        "epoll_wait takes an event before those that poll the instance wake": "mixed.pollers-beside-all-woken",
        "EPOLLEXCLUSIVE stops at a busy worker": "mixed.two-exclusive-listeners",
        "an EPOLLEXCLUSIVE instance always comes before the readers of a pipe, or always after": (
            "mixed.read-beside-exclusive"
        ),
        "an exclusive waiter hides the plain waiters queued behind it": "mixed.plain-all-exclusive-some",
        "a poller takes the wake-up that a waiter in accept needs": "mixed.accept-beside-plain-takes",
        "an outer instance misses the events of an inner one": "mixed.outer-private-all",
        "a worker that comes back queues at the wrong end": ("mixed.busy-favourite-comes-back"),
    },
    "reuseport-group": {
        "another user may join a group and steal its connections": "reuseport-group.same-user-only",
        "a socket without SO_REUSEPORT can be joined": "reuseport-group.every-member-sets-it",
        "a selector's index follows the order of bind": "reuseport-group.selector-index",
        "an index without a socket drops the connection": "reuseport-group.invalid-index-falls-back",
        "a migrated connection is queued, but its waiter sleeps on": "reuseport-group.migration-wakes",
        "a selector runs on another CPU than the one where the connection arrived": ("reuseport-group.selector-by-cpu"),
        "the selector that was attached first stays in force": "reuseport-group.last-selector-counts",
        "a datagram wakes a waiter on each member of the group": "reuseport-group.datagrams-of-one-sender",
        "SO_INCOMING_CPU is accepted and ignored (before Linux 6.2)": "reuseport-group.incoming-cpu",
        "a member that asks for no CPU gets what another member asks for": (
            "reuseport-group.incoming-cpu-leaves-nothing"
        ),
    },
    "phantoms": {
        "a second listen wakes the waiters": "phantoms.no-connection-wakes-nobody",
        "another path of an accepted connection wakes those that wait for a new one": (
            "phantoms.another-path-wakes-nobody"
        ),
        "the first segment of a handshake wakes those that wait for a connection": "phantoms.lone-syn-wakes-nobody",
        "a member that leaves a group wakes the waiters of another": "phantoms.group-changes-wake-nobody",
    },
    "reuseport": {
        "one member of a group of eight gets twice as much as each of the others": "reuseport.even-shares",
    },
    "server": {
        "accept without a free descriptor loses the connection": "server.emfile-keeps-the-connection",
        "a dead child disappears before its parent has waited for it": "server.zombie-until-waited-for",
        "SIGCHLD without a handler wakes those that wait": "server.unhandled-sigchld-wakes-nobody",
        "a port is free while a child still listens on it": "server.child-keeps-the-port",
        "EPOLLEXCLUSIVE does nothing, or releasing a file lock wakes all": "server.woken-per-connection",
        "the queue of a listener is reset when its last worker dies, although the parent keeps it open": (
            "server.kept-listener-keeps-its-queue"
        ),
        "a port stays taken while a child that closed the listener lives": "server.child-frees-the-port",
    },
    "signals": {
        "accept returns EINTR in spite of SA_RESTART": "signals.accept-restarts",
        "poll or epoll_wait is restarted after a handler": "signals.multiplexers-never-restart",
        "read or mq_timedreceive returns EINTR in spite of SA_RESTART": "signals.readers-restart",
        "msgrcv or semop is restarted after a handler": "signals.system-v-never-restarts",
    },
    "sockets": {
        "half a handshake wakes a waiter": "sockets.accept-after-handshake",
        "a full queue resets clients that it should ignore, or the setting for that does nothing": (
            "sockets.overflow-is-reset"
        ),
        "an accepted socket inherits O_NONBLOCK": "sockets.accepted-inherit-no-flags",
        "TCP_DEFER_ACCEPT wakes for a connection without data": "sockets.defer-accept-waits-for-data",
        "TCP_DEFER_ACCEPT keeps a silent client forever": "sockets.defer-accept-gives-up",
        "accept does not take the first connection": "sockets.accept-takes-the-first",
        "data from an old client wake those that wait for a new one": "sockets.old-clients-wake-nobody",
        "a closed listener leaves the clients in its queue asleep": "sockets.listener-ends-under-clients",
        "connecting to a listener that was closed meanwhile never ends": "sockets.listener-ends-under-a-connect",
        "room that comes after a send has timed out is not reported (before Linux 5.3)": (
            "sockets.room-after-a-limit-is-told"
        ),
    },
    "signal-driven": {
        "the first owner of a listener stays the owner": "signal-driven.last-owner-alone",
        "SIGIO is queued once for each connection": "signal-driven.told-once",
    },
}
"""For each chapter: what is wrong with the kernel, and a claim that breaks on it."""

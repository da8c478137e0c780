"""Servers with 10 to 1,000 threads, audited one after the other: which are judged, and why the others are not.

    python -m tests.suite.servers.crowds            all of them, some twenty seconds each
    python -m tests.suite.servers.crowds NAME ...   these

Exit codes: 0 all were judged, 2 bad input, 3 one was not.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
from collections.abc import Sequence
from typing import Any

from .audits import audit
from .launch import DidNotStart, Running
from .server import Server
from .servers import named


def _changed(name: str, crowd: str, *replaced: tuple[str, str], **fields: Any) -> Server:
    """The server of the table, with these texts of its files and its command line replaced.  How many processes it has
    is waited for where `processes` says it; else the audit waits until nobody comes or goes.

    AssertionError where there is no such text.
    """
    server = named(name)
    files, command = dict(server.files), list(server.command)
    for old, new in replaced:
        assert any(old in text for text in (*files.values(), *command)), (name, old)
        files = {path: text.replace(old, new) for path, text in files.items()}
        command = [word.replace(old, new) for word in command]
    fields = {"processes": 0 if server.processes != 1 else 1, "waiting": 1, "workers": 0, **fields}
    return dataclasses.replace(server, name=f"{name}-{crowd}", files=files, command=tuple(command), **fields)


_MIN = ("thread_pool_min=10", "thread_pool_max=50")

CROWDS = (
    _changed("varnish", "default", ("thread_pools=4", "thread_pools=2"), (_MIN[0], "thread_pool_min=100"),
             (_MIN[1], "thread_pool_max=5000")),
    _changed("varnish", "1000", (_MIN[0], "thread_pool_min=250"), (_MIN[1], "thread_pool_max=300")),
    _changed("php-fpm", "160", ("max_children = 4", "max_children = 160"), processes=161, waiting=160),
    _changed("php-fpm", "400", ("max_children = 4", "max_children = 400"), processes=401, waiting=400),
    _changed("apache-event", "400", ("ThreadsPerChild 25", "ThreadsPerChild 100"),
             ("MaxSpareThreads 200", "MaxSpareThreads 1000\nMaxRequestWorkers 1000")),
    _changed("apache-prefork", "150", ("StartServers 4", "StartServers 150"),
             ("MaxSpareServers 4", "MaxSpareServers 200")),
    _changed("tomcat", "230", ('address="127.0.0.1"', 'address="127.0.0.1" minSpareThreads="200"')),
    _changed("tomcat", "1000", ('address="127.0.0.1"', 'address="127.0.0.1" minSpareThreads="970" maxThreads="1000"')),
    _changed("haproxy", "64", ("nbthread 4", "nbthread 64")),
    _changed("haproxy-shards", "64", ("nbthread 4", "nbthread 64")),
    _changed("memcached", "128", ("4", "128")),
    _changed("nginx", "64", ("worker_processes 4", "worker_processes 64"), processes=65, waiting=64),
    _changed("nginx-reuseport", "64", ("worker_processes 4", "worker_processes 64"), processes=65, waiting=64),
    _changed("uwsgi-thunder-lock", "100", ("4", "100"), processes=101, waiting=100),
    _changed("uwsgi", "100", ("4", "100"), processes=101, waiting=100),
    _changed("h2o", "128", ("num-threads: 4", "num-threads: 128"), processes=2, waiting=0),
    _changed("unbound", "64", ("num-threads: 4", "num-threads: 64")),
    _changed("named", "64", ("4", "64")),
    _changed("knot", "200", ("tcp-workers: 4", "tcp-workers: 200")),
    _changed("dovecot", "50", ("process_min_avail = 4", "process_min_avail = 50"),
             ("process_limit = 4", "process_limit = 50")),
    _changed("gunicorn-sync", "40", ("4", "40"), processes=41, waiting=40),
    _changed("pgpool", "100", ("num_init_children = 4", "num_init_children = 100")),
    _changed("traffic-server", "200", ("exec_thread.limit INT 4", "exec_thread.limit INT 200"), processes=2, waiting=0),
    _changed("squid", "16", ("workers 4", "workers 16"), says=("Accepting HTTP Socket connections", 16)),
)  # fmt: skip


HEADER = (
    "| server | threads | workers | verdict | woken | won | CPU time | why not |",
    "|---|---:|---:|---|---|---|---:|---|",
)


def _children_s() -> float:
    """CPU time of all processes that this one has waited for (getrusage(2)); the server's are its children, too."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit, and print a table."""
    names = list(sys.argv[1:] if arguments is None else arguments)
    known = {server.name: server for server in CROWDS}
    if unknown := [name for name in names if name not in known]:
        print(f"no server is called {unknown[0]}: choose from {' '.join(known)}", file=sys.stderr)
        return 2
    print("\n".join(HEADER))
    refused = 0
    for server in [known[name] for name in names] or CROWDS:
        try:
            with Running(server) as running:
                before_s = _children_s()
                audited = audit(running)
                spent_s = _children_s() - before_s
                threads = sum(1 for _ in running.tasks())
        except (DidNotStart, FileNotFoundError, AssertionError) as problem:
            print(f"{server.name}: {problem}", file=sys.stderr, flush=True)
            refused += 1
            continue
        answer = audited.answer
        refused += audited.exit_code != 0
        woken, won = (answer[name] and f"{answer[name]['median']:g}" for name in ("woken", "won"))
        cells = (
            server.name,
            threads,
            answer["workers"],
            answer["verdict"],
            woken,
            won,
            f"{spent_s:.1f} s",
            answer["reason"] or "",
        )
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return 3 if refused else 0


if __name__ == "__main__":
    sys.exit(main())

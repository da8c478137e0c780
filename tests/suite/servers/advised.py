"""Servers before and after each piece of advice, and servers for which there is none that would be safe."""

from __future__ import annotations

import dataclasses

from .server import WORKERS, Server, apt
from .servers import named


def _changed(name: str, suffix: str, *options: str, **fields: object) -> Server:
    """A server of the table with more options, and other fields."""
    server = named(name)
    fields.setdefault("command", (*server.command[:-1], *options, server.command[-1]))
    return dataclasses.replace(server, name=f"{name}-{suffix}", **fields)  # type: ignore[arg-type]


def _apache_buckets() -> Server:
    server = named("apache-event")
    files = server.files | {"apache.conf": server.files["apache.conf"] + "ListenCoresBucketsRatio 1\n"}
    return dataclasses.replace(server, name="apache-event-buckets", files=files)


BEFORE_AND_AFTER: dict[str, list[tuple[Server, Server]]] = {
    "gunicorn-reuse-port": [
        (named("gunicorn-sync"), named("gunicorn-reuse-port")),
        (named("gunicorn-gthread"), _changed("gunicorn-gthread", "reuse-port", "--reuse-port")),
        (named("gunicorn-gevent"), _changed("gunicorn-gevent", "reuse-port", "--reuse-port")),
    ],
    "uwsgi-thunder-lock": [(named("uwsgi"), named("uwsgi-thunder-lock"))],
    "apache-buckets": [(named("apache-event"), _apache_buckets())],
    "haproxy-shards": [(named("haproxy"), named("haproxy-shards"))],
    "unbound-reuseport": [
        (named("unbound-shared"), named("unbound")),
        (named("unbound-shared-udp"), named("unbound-udp")),
    ],
    "knot-reuseport": [(named("knot"), named("knot-reuseport"))],
    "recursor-reuseport": [(named("recursor-shared"), named("recursor"))],
    "nsd-reuseport": [(named("nsd-udp"), named("nsd-reuseport-udp"))],
    "pgpool-serialize": [(named("pgpool"), named("pgpool-serialize"))],
}
"""For each remedy's id: servers that it is advised for, and the same with it."""

_GUNICORN = named("gunicorn-sync")
_UNIX = ("--bind", "unix:$folder/s", "--workers", str(WORKERS), "app:wsgi")

GUNICORN_UNIX = dataclasses.replace(_GUNICORN, name="gunicorn-unix", command=_UNIX, unix=True)
_ACTIVATE = apt("systemd-socket-activate", "systemd")

GUNICORN_ACTIVATED = dataclasses.replace(
    _GUNICORN,
    name="gunicorn-activated",
    program=_ACTIVATE,
    command=("-l", "127.0.0.1:$port", str(_GUNICORN.program.path()), "--workers", str(WORKERS), "app:wsgi"),
)
"""systemd's own way of handing a listener over, without systemd."""

APACHE_CHOSEN = dataclasses.replace(
    named("apache-event"),
    name="apache-event-chosen",
    command=("-C", "ListenCoresBucketsRatio 64", *named("apache-event").command),
)
"""It has the directive already, by a ratio that changes nothing here."""

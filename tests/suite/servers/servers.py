"""Every server that is audited, and which setting mends which.  To add a server: a row in *_rows.py."""

from __future__ import annotations

from . import app_rows, core_rows, dns_rows, network_rows, runtime_rows, web_rows
from .server import Server

SERVERS = (
    *core_rows.ROWS,
    *web_rows.ROWS,
    *app_rows.ROWS,
    *runtime_rows.ROWS,
    *dns_rows.ROWS,
    *network_rows.ROWS,
)

MENDED = {
    "gunicorn-sync": ("gunicorn-reuse-port", "`--reuse-port`"),
    "uwsgi": ("uwsgi-thunder-lock", "`--thunder-lock`"),
    "haproxy": ("haproxy-shards", "`shards by-thread`"),
    "uvicorn": ("uvicorn-gunicorn", "gunicorn with `-k uvicorn.workers.UvicornWorker --reuse-port`"),
    "node-shared": ("node", "Node's default, `SCHED_RR`"),
    "lighttpd": ("lighttpd-one", "its default, one worker"),
    "tornado": ("tornado-reuse-port", "`reuse_port=True`, after the fork"),
    "php": ("php-fpm", "PHP-FPM in its place"),
    "unbound-shared": ("unbound", "its default, `so-reuseport: yes`"),
    "unbound-shared-udp": ("unbound-udp", "its default, `so-reuseport: yes`"),
    "nsd-udp": ("nsd-reuseport-udp", "`reuseport: yes`"),
    "recursor-shared": ("recursor", "`reuseport=yes`"),
    "recursor-shared-udp": ("recursor-udp", "`reuseport=yes`"),
    "knot": ("knot-reuseport", "`tcp-reuseport: on`"),
    "pgpool": ("pgpool-serialize", "`serialize_accept = on`"),
}
"""For the name of a server that herds: the name of the one that has the setting which helps, and that setting."""


def named(name: str) -> Server:
    """The server of this name.  KeyError where there is none."""
    return {server.name: server for server in SERVERS}[name]

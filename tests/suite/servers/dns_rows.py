"""Name servers, asked by TCP and by UDP; they run only where all are asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from .server import WORKERS, Program, Server, apt

UNBOUND = apt("unbound", "unbound")
KNOT = apt("knotd", "knot")
NSD = apt("nsd", "nsd")
RECURSOR = apt("pdns_recursor", "pdns-recursor")
NAMED = apt("named", "bind9")

_QUERY = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04test\x00\x00\x06\x00\x01"
"""SOA of test. (RFC 1035, section 4)."""
_DNS = len(_QUERY).to_bytes(2, "big") + _QUERY

_ZONE = "@ 60 IN SOA ns.test. a.test. 1 60 60 60 60\n@ 60 IN NS ns.test.\nns 60 IN A 127.0.0.1\n"


def _unbound(reuseport: str) -> dict[str, str]:
    return {
        "unbound.conf": f"""\
server:
  interface: 127.0.0.1@$port
  num-threads: {WORKERS}
  so-reuseport: {reuseport}
  chroot: ""
  username: ""
  directory: "$folder"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  local-zone: "test." static
  local-data: "test. 60 IN SOA ns.test. a.test. 1 60 60 60 60"
remote-control:
  control-enable: no
"""
    }


def _knot(reuseport: str) -> dict[str, str]:
    return {
        "knot.conf": f"""\
server:
  listen: 127.0.0.1@$port
  rundir: $folder
  tcp-workers: {WORKERS}
  udp-workers: {WORKERS}
  background-workers: 1
  tcp-reuseport: {reuseport}
database:
  storage: $folder/db
log:
  - target: stderr
    any: warning
zone:
  - domain: test.
    storage: $folder
    file: test.zone
""",
        "test.zone": _ZONE,
    }


def _nsd(reuseport: str) -> dict[str, str]:
    return {
        "nsd.conf": f"""\
server:
  ip-address: 127.0.0.1@$port
  server-count: {WORKERS}
  reuseport: {reuseport}
  username: ""
  chroot: ""
  zonesdir: "$folder"
  database: ""
  xfrdfile: ""
  zonelistfile: "$folder/zone.list"
  xfrdir: "$folder"
  pidfile: ""
  logfile: ""
remote-control:
  control-enable: no
zone:
  name: test.
  zonefile: test.zone
""",
        "test.zone": _ZONE,
    }


def _dns(
    name: str, title: str, program: Program, command: tuple[str, ...], files: dict[str, str], **fields: Any
) -> Server:
    fields.setdefault("processes", 1)
    return Server(name, title, program, command, files, ask=_DNS, hears=b"", more=True, **fields)


def _recursor(name: str, title: str, reuseport: str, **fields: Any) -> Server:
    text = f"""\
local-address=127.0.0.1
local-port=$port
threads={WORKERS}
pdns-distributes-queries=no
reuseport={reuseport}
socket-dir=$folder
daemon=no
write-pid=no
auth-zones=test=$folder/test.zone
config-dir=$folder
"""
    files = {"recursor.conf": text, "test.zone": _ZONE}
    return _dns(name, title, RECURSOR, ("--config-dir=$folder",), files, http=True, **fields)


def _by_udp(row: Server, woken: int) -> Server:
    """The same server, asked by UDP."""
    strategy = "epoll.level.listener" if woken > 1 else "epoll.level.nothing"
    return dataclasses.replace(
        row,
        name=f"{row.name}-udp",
        title=f"{row.title}, UDP",
        audit=("--dns", "test"),
        http=False,
        strategy=strategy,
        woken=woken,
    )


_NAMED = """\
options { directory "$folder"; listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none;
  session-keyfile none; recursion no; dnssec-validation no; managed-keys-directory "$folder"; };
controls { };
zone "test" { type master; file "$folder/test.zone"; };
"""


_NAME_SERVERS = (
    _recursor("recursor-shared", "PowerDNS Recursor, `reuseport=no`", "no", woken=WORKERS),
    _recursor("recursor", "PowerDNS Recursor, `threads=4`", "yes", strategy="epoll.level.nothing"),
    _dns(
        "unbound-shared",
        "unbound, `so-reuseport: no`",
        UNBOUND,
        ("-d", "-c", "$folder/unbound.conf"),
        _unbound("no"),
        woken=WORKERS,
    ),
    _dns(
        "unbound",
        "unbound, `num-threads: 4`",
        UNBOUND,
        ("-d", "-c", "$folder/unbound.conf"),
        _unbound("yes"),
        strategy="epoll.level.nothing",
    ),
    _dns(
        "knot",
        "Knot DNS, `tcp-workers: 4`",
        KNOT,
        ("-c", "$folder/knot.conf"),
        _knot("off"),
        woken=WORKERS,
        before="mkdir db",
    ),
    _dns(
        "knot-reuseport",
        "Knot DNS, `tcp-reuseport: on`",
        KNOT,
        ("-c", "$folder/knot.conf"),
        _knot("on"),
        strategy="epoll.level.nothing",
        before="mkdir db",
    ),
    _dns(
        "nsd",
        "NSD, `server-count: 4`",
        NSD,
        ("-d", "-c", "$folder/nsd.conf"),
        _nsd("no"),
        processes=WORKERS + 2,
        woken=WORKERS,
    ),
    _dns(
        "nsd-reuseport",
        "NSD, `reuseport: yes`",
        NSD,
        ("-d", "-c", "$folder/nsd.conf"),
        _nsd("yes"),
        processes=WORKERS + 2,
        woken=WORKERS,
    ),
    _dns(
        "named",
        "BIND, `-n 4`",
        NAMED,
        ("-f", "-n", "4", "-c", "$folder/named.conf"),
        {"named.conf": _NAMED, "test.zone": _ZONE},
        strategy="epoll.level.nothing",
    ),
)

ROWS = (
    *_NAME_SERVERS,
    *(
        _by_udp(row, 4 if row.name in ("unbound-shared", "nsd", "recursor-shared") else 1)
        for row in _NAME_SERVERS
        if row.name != "knot-reuseport"  # it changes nothing for UDP, for which each worker has a socket anyway
    ),
)

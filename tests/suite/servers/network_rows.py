"""Databases, mail servers, name servers and others that speak no HTTP; they run only where all are asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from .server import SELECT, WORKERS, Program, Server, apt

UNBOUND = apt("unbound", "unbound")
KNOT = apt("knotd", "knot")
NSD = apt("nsd", "nsd")
RECURSOR = apt("pdns_recursor", "pdns-recursor")
NAMED = apt("named", "bind9")
MEMCACHED = apt("memcached", "memcached")
REDIS = apt("redis-server", "redis-server")
PGPOOL = apt("pgpool", "pgpool2")
POSTGRESQL = apt("setpriv", "postgresql-15")
_POSTGRES = "/usr/lib/postgresql/15/bin"
_AS_POSTGRES = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
DOVECOT = apt("dovecot", "dovecot-imapd")

_QUERY = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04test\x00\x00\x06\x00\x01"
"""SOA of test. (RFC 1035, section 4)."""
_DNS = len(_QUERY).to_bytes(2, "big") + _QUERY
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # PostgreSQL, Message Formats

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


def _pgpool(serialize: str) -> dict[str, str]:
    return {
        "pgpool.conf": f"""\
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
pcp_listen_addresses = ''
pcp_socket_dir = '$folder'
num_init_children = {WORKERS}
serialize_accept = {serialize}
child_life_time = {"0" if serialize == "on" else "300"}
backend_hostname0 = '127.0.0.1'
backend_port0 = 9999
pid_file_name = '$folder/pgpool.pid'
logdir = '$folder'
work_dir = '$folder'
memory_cache_enabled = off
""",
        "pcp.conf": "",
        "pool_hba.conf": "local all all trust\nhost all all 127.0.0.1/32 trust\n",
    }


_NAMED = """\
options { directory "$folder"; listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none;
  session-keyfile none; recursion no; dnssec-validation no; managed-keys-directory "$folder"; };
controls { };
zone "test" { type master; file "$folder/test.zone"; };
"""

_DOVECOT = """\
base_dir = $folder/run
log_path = /dev/stderr
ssl = no
protocols = imap
listen = 127.0.0.1
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
mail_location = maildir:$folder/mail
disable_plaintext_auth = no
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=$folder
}
service imap-login {
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = 0
  }
  service_count = 0
  process_min_avail = 4
  process_limit = 4
}
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
    Server(
        "memcached",
        "memcached, `-t 4`",
        MEMCACHED,
        ("-l", "127.0.0.1", "-p", "$port", "-U", "0", "-t", str(WORKERS), "-u", "nobody"),
        processes=1,
        waiting=1,
        workers=1,
        ask=b"version\r\n",
        hears=b"VERSION",
        more=True,
    ),
    Server(
        "redis",
        "Redis, `io-threads 4`",
        REDIS,
        ("--bind", "127.0.0.1", "--port", "$port", "--io-threads", str(WORKERS), "--save", "", "--dir", "$folder"),
        processes=1,
        waiting=1,
        workers=1,
        ask=b"PING\r\n",
        hears=b"+PONG",
        more=True,
    ),
    Server(
        "pgpool",
        "Pgpool-II, `num_init_children = 4`",
        PGPOOL,
        ("-n", "-f", "$folder/pgpool.conf", "-F", "$folder/pcp.conf", "-a", "$folder/pool_hba.conf"),
        _pgpool("off"),
        processes=0,
        calls=("select", "pselect6", "poll"),
        strategy="select",
        ask=_SSL_REQUEST,
        hears=b"N",
        woken=WORKERS,
        more=True,
    ),
    Server(
        "pgpool-serialize",
        "Pgpool-II, `serialize_accept = on`",
        PGPOOL,
        ("-n", "-f", "$folder/pgpool.conf", "-F", "$folder/pcp.conf", "-a", "$folder/pool_hba.conf"),
        _pgpool("on"),
        processes=0,
        calls=("select", "pselect6", "poll"),
        waiting=1,
        strategy="select",
        ask=_SSL_REQUEST,
        hears=b"N",
        more=True,
        ends_by="SIGINT",
    ),
    Server(
        "postgresql",
        "PostgreSQL",
        POSTGRESQL,
        (*_AS_POSTGRES, f"{_POSTGRES}/postgres", "-D", "$folder/d", "-p", "$port", "-h", "127.0.0.1", "-k", "$folder"),
        {},
        processes=0,
        calls=SELECT,
        waiting=0,
        strategy="select",
        workers=1,
        ask=_SSL_REQUEST,
        hears=b"N",
        before=f"chown postgres . && setpriv {' '.join(_AS_POSTGRES)} {_POSTGRES}/initdb -D d -A trust -N",
        ends_by="SIGINT",
        more=True,
    ),
    *(
        _by_udp(row, 4 if row.name in ("unbound-shared", "nsd", "recursor-shared") else 1)
        for row in _NAME_SERVERS
        if row.name != "knot-reuseport"  # it changes nothing for UDP, for which each worker has a socket anyway
    ),
    Server(
        "dovecot",
        "Dovecot, four imap-login",
        DOVECOT,
        ("-F", "-c", "$folder/dovecot.conf"),
        {"dovecot.conf": _DOVECOT},
        processes=0,
        ask=b"a CAPABILITY\r\n",
        hears=b"* OK",
        woken=WORKERS,
        more=True,
        before="mkdir run mail",
    ),
)

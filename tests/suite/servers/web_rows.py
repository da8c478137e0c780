"""Web servers and caches of Debian that run only where all servers are asked for."""

from __future__ import annotations

from typing import Any

from .server import WORKERS, Server, apt

LIGHTTPD = apt("lighttpd", "lighttpd")
H2O = apt("h2o", "h2o")
VARNISH = apt("varnishd", "varnish")
SQUID = apt("squid", "squid")
TRAFFIC_SERVER = apt("traffic_server", "trafficserver")

_HTTP = b"GET / HTTP/1.0\r\n\r\n"


def _lighttpd(workers: int) -> dict[str, str]:
    return {
        "lighttpd.conf": f"""\
server.document-root = "$folder"
server.bind = "127.0.0.1"
server.port = $port
server.errorlog = "/dev/stderr"
server.max-worker = {workers}
index-file.names = ("index.html")
""",
        "index.html": "ok\n",
    }


_H2O = f"""\
num-threads: {WORKERS}
pid-file: $folder/h2o.pid
listen:
  host: 127.0.0.1
  port: $port
hosts:
  default:
    paths:
      /:
        file.dir: $folder
"""

_VCL = """\
vcl 4.1;
backend none { .host = "127.0.0.1"; .port = "9"; }
sub vcl_recv { return (synth(200)); }
"""

_SQUID = f"""\
workers {WORKERS}
http_port 127.0.0.1:$port
visible_hostname localhost
pid_filename $folder/squid.pid
cache_log /dev/stderr
access_log none
coredump_dir $folder
cache_mem 8 MB
cache_effective_user proxy
shutdown_lifetime 1 second
"""


def _varnish(name: str, title: str, pools: int) -> Server:
    threads = ("-p", f"thread_pools={pools}", "-p", "thread_pool_min=10", "-p", "thread_pool_max=50")
    return Server(
        name,
        title,
        VARNISH,
        ("-F", "-j", "none", "-a", "127.0.0.1:$port", "-f", "$folder/default.vcl", "-n", "$folder/v", *threads),
        {"default.vcl": _VCL},
        processes=2,
        calls=("accept", "accept4"),
        waiting=1,
        strategy="accept",
        workers=pools,
        woken=1,
        more=True,
    )


def _traffic_server(name: str, title: str, accept_threads: int, **fields: Any) -> Server:
    """With four threads that serve, and so many that accept for them."""
    return Server(
        name,
        title,
        TRAFFIC_SERVER,
        ("--run-root=$folder/runroot.yaml",),
        {
            "runroot.yaml": _RUNROOT,
            "records.config": f"""\
CONFIG proxy.config.http.server_ports STRING $port:ip-in=127.0.0.1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT {WORKERS}
CONFIG proxy.config.accept_threads INT {accept_threads}
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.url_remap.remap_required INT 1
""",
        },
        # Beside it the helper that would write of a crash, which has stopped itself until then.
        processes=2,
        waiting=0,
        http=True,
        ask=_HTTP,
        hears=b"HTTP/1",
        before="mkdir etc run logs cache && cp -r /etc/trafficserver/. etc && mv records.config etc && "
        ": > etc/storage.config",
        more=True,
        **fields,
    )


_RUNROOT = """\
prefix: $folder
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: $folder/etc
datadir: $folder/cache
includedir: /usr/include
libdir: /usr/lib
libexecdir: /usr/lib/trafficserver/modules
localstatedir: $folder/run
runtimedir: $folder/run
logdir: $folder/logs
cachedir: $folder/cache
"""


ROWS = (
    Server(
        "lighttpd",
        "lighttpd, `server.max-worker = 4`",
        LIGHTTPD,
        ("-D", "-f", "$folder/lighttpd.conf"),
        _lighttpd(WORKERS),
        woken=WORKERS,
        more=True,
    ),
    Server(
        "lighttpd-one",
        "lighttpd, as it comes",
        LIGHTTPD,
        ("-D", "-f", "$folder/lighttpd.conf"),
        _lighttpd(0),
        processes=1,
        waiting=1,
        workers=1,
        more=True,
    ),
    Server(
        "h2o",
        "H2O, `num-threads: 4`",
        H2O,
        ("-m", "worker", "-c", "$folder/h2o.conf"),
        {"h2o.conf": _H2O, "index.html": "ok\n"},
        # Beside the server, one that would print a backtrace.
        processes=2,
        waiting=0,
        http=True,
        woken=WORKERS,
        before="chmod 777 . && touch h2o.pid && chmod 666 h2o.pid",
        more=True,
    ),
    _varnish("varnish", "Varnish, `thread_pools=4`", 4),
    Server(
        "squid",
        "Squid, `workers 4`",
        SQUID,
        # -d 1: each worker says when it has the listener, which it is handed by another.
        ("--foreground", "-d", "1", "-f", "$folder/squid.conf"),
        {"squid.conf": _SQUID},
        processes=0,
        says=("Accepting HTTP Socket connections", WORKERS),
        ask=_HTTP,
        hears=b"HTTP/1",
        woken=WORKERS,
        more=True,
        before="chmod 777 .",
    ),
    _traffic_server("traffic-server", "Traffic Server", 1, strategy="accept", workers=1),
    _traffic_server(
        "traffic-server-shared", "Traffic Server, `accept_threads 0`", 0, strategy="epoll.edge-exclusive.listener"
    ),
)

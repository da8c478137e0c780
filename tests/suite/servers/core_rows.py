"""Servers that every machine of a CI installs: nginx, Apache, HAProxy, Caddy, Node, and those of PyPI.

Each in its ordinary command line, with the least configuration that it takes.
"""

from __future__ import annotations

from .server import EPOLL, SELECT, WORKERS, Server, apt, pip

NGINX = apt("nginx", "nginx")
APACHE = apt("apache2", "apache2-bin")
HAPROXY = apt("haproxy", "haproxy")
CADDY = apt("caddy", "caddy")
NODE = apt("node", "nodejs")
GUNICORN = pip("gunicorn", "gunicorn gevent")
UWSGI = pip("uwsgi", "pyuwsgi")
UVICORN = pip("uvicorn", "uvicorn")
GRANIAN = pip("granian", "granian")

APP = """\
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\\n"]


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"3")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok\\n"})
"""

CLUSTER = """\
const cluster = require('node:cluster');
const http = require('node:http');
if (cluster.isPrimary) {
  for (let i = 0; i < 4; i++) cluster.fork();
} else {
  const server = http.createServer((request, response) => response.end('ok\\n'));
  server.listen($port, '127.0.0.1', () => console.log('listening'));
}
"""


def _nginx_conf(events: str = "", listen: str = "") -> dict[str, str]:
    return {
        "nginx.conf": f"""\
daemon off;
pid nginx.pid;
error_log stderr;
worker_processes {WORKERS};
events {{ worker_connections 256; {events} }}
http {{
  access_log off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {{
    listen 127.0.0.1:$port{listen};
    location / {{ return 200 "ok\\n"; }}
  }}
}}
"""
    }


def _apache_conf(mpm: str, sizes: str) -> dict[str, str]:
    # User and Group are for root alone, whom Apache refuses to serve as; others are told so and go on.
    return {
        "apache.conf": f"""\
ServerRoot $folder
ServerName localhost
PidFile $folder/apache.pid
DefaultRuntimeDir $folder
ErrorLog /dev/stderr
LoadModule mpm_{mpm}_module /usr/lib/apache2/modules/mod_mpm_{mpm}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
User nobody
Group nogroup
Listen 127.0.0.1:$port
DocumentRoot $folder
StartServers {WORKERS}
{sizes}
""",
        "index.html": "ok\n",
    }


def _haproxy_conf(bind: str = "") -> dict[str, str]:
    return {
        "haproxy.cfg": f"""\
global
  nbthread {WORKERS}
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend it
  bind 127.0.0.1:$port{bind}
  http-request return status 200 content-type text/plain string ok
"""
    }


_CADDYFILE = """\
{
  admin off
  auto_https off
}
http://127.0.0.1:$port {
  respond ok
}
"""


def _nginx(name: str, title: str, strategy: str, events: str = "", listen: str = "") -> Server:
    command = ("-p", "$folder", "-e", "stderr", "-c", "nginx.conf")
    return Server(name, title, NGINX, command, _nginx_conf(events, listen), strategy=strategy)


def _gunicorn(
    name: str, title: str, *options: str, calls: tuple[str, ...] = EPOLL, strategy: str, woken: int
) -> Server:
    command = ("--bind", "127.0.0.1:$port", "--workers", str(WORKERS), *options, "app:wsgi")
    return Server(name, title, GUNICORN, command, {"app.py": APP}, calls=calls, strategy=strategy, woken=woken)


def _uwsgi(name: str, title: str, *options: str, calls: tuple[str, ...] = EPOLL, woken: int) -> Server:
    # --die-on-term: without it SIGTERM reloads (uWSGI's own default), and nobody could stop it politely.
    ordinary = ("--http-socket", "127.0.0.1:$port", "--master", "--processes", str(WORKERS), "--die-on-term")
    command = (*ordinary, *options, "--wsgi-file", "app.py", "--callable", "wsgi")
    return Server(name, title, UWSGI, command, {"app.py": APP}, calls=calls, http=True, woken=woken)


def _apache(name: str, title: str, mpm: str, sizes: str, calls: tuple[str, ...], strategy: str, woken: int) -> Server:
    command = ("-D", "FOREGROUND", "-f", "$folder/apache.conf")
    files = _apache_conf(mpm, sizes)
    # Its default on Linux is AcceptFilter http data, which is TCP_DEFER_ACCEPT (Apache 2.4, core, AcceptFilter).
    return Server(name, title, APACHE, command, files, calls=calls, http=True, strategy=strategy, woken=woken)


def _haproxy(name: str, title: str, strategy: str, woken: int, bind: str = "") -> Server:
    command = ("-f", "haproxy.cfg")
    return Server(name, title, HAPROXY, command, _haproxy_conf(bind), processes=1, strategy=strategy, woken=woken)


def _node(name: str, title: str, environment: dict[str, str], workers: int, woken: int) -> Server:
    return Server(
        name, title, NODE, ("cluster.js",), {"cluster.js": CLUSTER}, environment,
        says=("listening", WORKERS), workers=workers, woken=woken,
    )  # fmt: skip


_LEVEL, _REUSEPORT = "epoll.level.listener", "epoll.level.nothing"

ROWS = (
    _nginx("nginx", "nginx", "epoll.exclusive.listener"),
    _nginx("nginx-accept-mutex", "nginx, `accept_mutex on`", _LEVEL, events="accept_mutex on;"),
    _nginx("nginx-reuseport", "nginx, `listen ... reuseport`", _REUSEPORT, listen=" reuseport"),
    _gunicorn("gunicorn-sync", "gunicorn, sync", calls=SELECT, strategy="select", woken=WORKERS),
    _gunicorn("gunicorn-gthread", "gunicorn, `-k gthread`", "-k", "gthread", strategy=_LEVEL, woken=WORKERS),
    _gunicorn("gunicorn-gevent", "gunicorn, `-k gevent`", "-k", "gevent", strategy=_LEVEL, woken=WORKERS),
    _gunicorn(
        "gunicorn-reuse-port", "gunicorn, `--reuse-port`", "--reuse-port",
        calls=SELECT, strategy="select.nothing", woken=1,
    ),
    _uwsgi("uwsgi", "uWSGI", woken=WORKERS),
    _uwsgi("uwsgi-thunder-lock", "uWSGI, `--thunder-lock`", "--thunder-lock", calls=(*EPOLL, "futex"), woken=1),
    # One socket is bound, before the fork, and all inherit it: the option alone makes no group of sockets.
    _uwsgi("uwsgi-reuse-port", "uWSGI, `--reuse-port`", "--reuse-port", woken=WORKERS),
    _apache(
        "apache-prefork", "Apache, prefork", "prefork", f"MinSpareServers 1\nMaxSpareServers {WORKERS}",
        calls=("accept", "accept4"), strategy="accept", woken=1,
    ),
    _apache(
        "apache-event", "Apache, event", "event", "ThreadsPerChild 25\nMinSpareThreads 25\nMaxSpareThreads 200",
        calls=EPOLL, strategy=_LEVEL, woken=WORKERS,
    ),
    _haproxy("haproxy", "HAProxy, `nbthread 4`", _LEVEL, woken=WORKERS),
    _haproxy("haproxy-shards", "HAProxy, `shards by-thread`", _REUSEPORT, woken=1, bind=" shards by-thread"),
    Server(
        "uvicorn", "uvicorn, `--workers 4`", UVICORN,
        ("--host", "127.0.0.1", "--port", "$port", "--workers", str(WORKERS), "app:asgi"),
        # Beside the master and the workers, multiprocessing's resource tracker.
        {"app.py": APP}, processes=WORKERS + 2, woken=WORKERS,
    ),
    # The primary alone waits, and hands connections on (SCHED_RR, Node's default on Linux).
    _node("node", "Node's cluster", {}, workers=1, woken=1),
    _node("node-shared", "Node's cluster, `SCHED_NONE`", {"NODE_CLUSTER_SCHED_POLICY": "none"}, WORKERS, WORKERS),
    Server(
        "granian", "granian (Rust), `--workers 4`", GRANIAN,
        ("--interface", "wsgi", "--host", "127.0.0.1", "--port", "$port", "--workers", str(WORKERS), "app:wsgi"),
        {"app.py": APP}, strategy="epoll.edge.nothing",
    ),
    Server(
        "caddy", "Caddy (Go)", CADDY, ("run", "--config", "Caddyfile", "--adapter", "caddyfile"),
        {"Caddyfile": _CADDYFILE},
        # Go's scheduler keeps one thread in epoll_pwait for the whole process.
        processes=1, waiting=1, strategy="epoll.edge.listener", workers=1,
    ),
)  # fmt: skip

"""Application servers that run only where all servers are asked for: Python, Ruby, PHP, Java, JavaScript, Go."""

from __future__ import annotations

from typing import Any

from .core_rows import APP, GUNICORN
from .server import EPOLL, SELECT, WORKERS, Program, Server, apt, npm, pip

HYPERCORN = pip("hypercorn", "hypercorn")
SANIC = pip("sanic", "sanic")
WAITRESS = pip("waitress-serve", "waitress")
DAPHNE = pip("daphne", "daphne")
PYTHON_TORNADO = pip("python", "tornado")
PYTHON_ROBYN = pip("python", "robyn")
PUMA = apt("puma", "puma")
UNICORN = apt("unicorn", "unicorn")
PHP = apt("php", "php8.2-cli")
PHP_FPM = apt("php-fpm8.2", "php8.2-fpm")
ETCD = apt("etcd", "etcd-server")
NATS = apt("nats-server", "nats-server")
TOMCAT = apt("java", "tomcat10")
JETTY = apt("java", "jetty9")
ACTIVATE = apt("systemd-socket-activate", "systemd")
DENO = npm("deno")
BUN = npm("bun")

_RACK = """\
run lambda { |env| [200, {"content-type" => "text/plain"}, ["ok\\n"]] }
"""


def _tornado(reuse_port: bool) -> str:
    listen = f"""\
sockets = tornado.netutil.bind_sockets($port, "127.0.0.1")
tornado.process.fork_processes({WORKERS})
"""
    if reuse_port:
        listen = f"""\
tornado.process.fork_processes({WORKERS})
sockets = tornado.netutil.bind_sockets($port, "127.0.0.1", reuse_port=True)
"""
    return f"""\
import asyncio
import tornado.httpserver
import tornado.netutil
import tornado.process
import tornado.web


class Main(tornado.web.RequestHandler):
    def get(self):
        self.write("ok")


{listen}

async def main():
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Main)]))
    server.add_sockets(sockets)
    await asyncio.Event().wait()


asyncio.run(main())
"""


_ROBYN = """\
from robyn import Robyn

app = Robyn(__file__)


@app.get("/")
async def index(request):
    return "ok"


app.start(host="127.0.0.1", port=$port)
"""

_SANIC = """\
from sanic import Sanic
from sanic.response import text

app = Sanic("it")


@app.get("/")
async def index(request):
    return text("ok")
"""

_FPM = f"""\
[global]
daemonize = no
error_log = /dev/stderr
[www]
listen = 127.0.0.1:$port
pm = static
pm.max_children = {WORKERS}
user = nobody
group = nogroup
"""
_GET_VALUES = b"\x01\x09\x00\x00\x00\x00\x00\x00"  # FastCGI specification, 4.1

_TOMCAT = (
    *("-cp", "/usr/share/tomcat10/bin/bootstrap.jar:/usr/share/tomcat10/bin/tomcat-juli.jar"),
    *("-Dcatalina.home=/usr/share/tomcat10", "-Dcatalina.base=$folder", "-Djava.io.tmpdir=$folder/temp"),
)
_SERVER_XML = """\
<Server port="-1">
  <Service name="it">
    <Connector port="$port" address="127.0.0.1"/>
    <Engine name="it" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
  </Service>
</Server>
"""

_JETTY = (
    *("-Djetty.home=/usr/share/jetty9", "-Djetty.base=$folder", "-Djava.io.tmpdir=$folder/temp"),
    *("-jar", "/usr/share/jetty9/start.jar"),
)

_DENO = "export default { fetch() { return new Response('ok\\n'); } };\n"

_BUN = """\
const cluster = require("node:cluster");
if (cluster.isPrimary) {
  for (let i = 0; i < 4; i++) cluster.fork();
} else {
  Bun.serve({ port: $port, hostname: "127.0.0.1", reusePort: true, fetch() { return new Response("ok\\n"); } });
  console.log("listening");
}
"""


_ALONE = {"processes": 1, "waiting": 1, "workers": 1}
"""One process, of which one thread waits."""


def _more(
    name: str, title: str, program: Program, command: tuple[str, ...], files: dict[str, str], **fields: Any
) -> Server:
    return Server(name, title, program, command, files, more=True, **fields)


ROWS = (
    _more(
        "uvicorn-gunicorn",
        "uvicorn in gunicorn, `--reuse-port`",
        GUNICORN,
        (
            "--bind",
            "127.0.0.1:$port",
            "--workers",
            str(WORKERS),
            "-k",
            "uvicorn.workers.UvicornWorker",
            "--reuse-port",
            "app:asgi",
        ),
        {"app.py": APP},
        strategy="epoll.level.nothing",
    ),
    _more(
        "hypercorn",
        "Hypercorn, `--workers 4`",
        HYPERCORN,
        ("--bind", "127.0.0.1:$port", "--workers", str(WORKERS), "app:asgi"),
        {"app.py": APP},
        processes=WORKERS + 2,
        woken=WORKERS,
    ),
    _more(
        "sanic",
        "Sanic, `--workers 4`",
        SANIC,
        ("app:app", "--host", "127.0.0.1", "--port", "$port", "--workers", str(WORKERS)),
        {"app.py": _SANIC},
        processes=0,
        woken=WORKERS,
    ),
    _more(
        "tornado",
        "Tornado, four forked",
        PYTHON_TORNADO,
        ("app.py",),
        {"app.py": _tornado(False)},
        woken=WORKERS,
        ends_alone=False,
    ),
    _more(
        "tornado-reuse-port",
        "Tornado, `reuse_port=True`",
        PYTHON_TORNADO,
        ("app.py",),
        {"app.py": _tornado(True)},
        ends_alone=False,
        strategy="epoll.level.nothing",
    ),
    _more(
        "robyn",
        "Robyn (Rust), `--processes 4`",
        PYTHON_ROBYN,
        ("app.py", "--processes", str(WORKERS), "--workers", "1"),
        {"app.py": _ROBYN},
        processes=0,
        strategy="epoll.edge.listener",
        woken=WORKERS,
    ),
    _more(
        "waitress",
        "Waitress",
        WAITRESS,
        ("--host", "127.0.0.1", "--port", "$port", "app:wsgi"),
        {"app.py": APP},
        calls=(*SELECT, "poll"),
        **_ALONE,
        strategy="select",
    ),
    _more(
        "daphne",
        "Daphne",
        DAPHNE,
        ("-b", "127.0.0.1", "-p", "$port", "app:asgi"),
        {"app.py": APP},
        **_ALONE,
    ),
    _more(
        "puma",
        "Puma, `-w 4`",
        PUMA,
        ("-w", str(WORKERS), "-b", "tcp://127.0.0.1:$port", "config.ru"),
        {"config.ru": _RACK},
        calls=(*SELECT, "ppoll", "poll", *EPOLL),
        strategy="select",
        woken=WORKERS,
    ),
    _more(
        "unicorn",
        "Unicorn, `worker_processes 4`",
        UNICORN,
        ("-l", "127.0.0.1:$port", "-c", "unicorn.rb", "config.ru"),
        {"config.ru": _RACK, "unicorn.rb": f"worker_processes {WORKERS}\n"},
        calls=(*SELECT, "ppoll", "poll", *EPOLL),
        http=True,
        strategy="select",
        woken=WORKERS,
    ),
    _more(
        "php",
        "`php -S`, `PHP_CLI_SERVER_WORKERS=4`",
        PHP,
        ("-S", "127.0.0.1:$port", "index.php"),
        {"index.php": "ok\n"},
        environment={"PHP_CLI_SERVER_WORKERS": str(WORKERS)},
        calls=(*SELECT, "poll"),
        strategy="select",
        ends_alone=False,
        woken=WORKERS + 1,
        workers=WORKERS + 1,
    ),
    _more(
        "php-fpm",
        "PHP-FPM, `pm = static`",
        PHP_FPM,
        ("-F", "-y", "$folder/fpm.conf"),
        {"fpm.conf": _FPM},
        calls=("accept", "accept4"),
        strategy="accept",
        ask=_GET_VALUES,
        hears=b"\x01\x0a",
    ),
    _more(
        "gunicorn-activated",
        "gunicorn behind `systemd-socket-activate`",
        ACTIVATE,
        ("-l", "127.0.0.1:$port", str(GUNICORN.path()), "--workers", str(WORKERS), "app:wsgi"),
        {"app.py": APP},
        calls=SELECT,
        strategy="select",
        woken=WORKERS,
    ),
    _more(
        "tomcat",
        "Tomcat (Java)",
        TOMCAT,
        (*_TOMCAT, "org.apache.catalina.startup.Bootstrap", "start"),
        {"conf/server.xml": _SERVER_XML, "conf/web.xml": "<web-app/>"},
        calls=("accept", "accept4", "poll", "ppoll"),
        **_ALONE,
        strategy="accept",
        ask=b"GET / HTTP/1.0\r\n\r\n",
        hears=b"HTTP/1",
        before="mkdir webapps logs temp",
    ),
    _more(
        "jetty",
        "Jetty (Java)",
        JETTY,
        (*_JETTY, "jetty.http.port=$port", "jetty.http.host=127.0.0.1"),
        {},
        calls=("accept", "accept4"),
        **_ALONE,
        strategy="accept",
        ask=b"GET / HTTP/1.0\r\n\r\n",
        hears=b"HTTP/1",
        before=f"mkdir temp && java {' '.join(_JETTY)} --create-startd --add-to-start=http".replace("$folder", "."),
    ),
    _more(
        "etcd",
        "etcd (Go)",
        ETCD,
        (
            "--data-dir",
            "$folder/d",
            "--listen-client-urls",
            "http://127.0.0.1:$port",
            "--advertise-client-urls",
            "http://127.0.0.1:$port",
            "--listen-peer-urls",
            "http://127.0.0.1:0",
            "--log-level",
            "error",
        ),
        {},
        **_ALONE,
        strategy="epoll.edge.listener",
        ask=b"GET /version HTTP/1.0\r\n\r\n",
        hears=b"HTTP/1",
    ),
    _more(
        "nats",
        "NATS (Go)",
        NATS,
        ("-a", "127.0.0.1", "-p", "$port"),
        {},
        **_ALONE,
        strategy="epoll.edge.listener",
        ask=b"PING\r\n",
        hears=b"INFO",
    ),
    _more(
        "deno",
        "Deno, `serve --parallel`",
        DENO,
        ("serve", "--parallel", "--host", "127.0.0.1", "--port", "$port", "app.js"),
        {"app.js": _DENO},
        environment={"DENO_JOBS": str(WORKERS)},
        processes=1,
        strategy="epoll.edge.listener",
        woken=WORKERS,
    ),
    _more(
        "bun",
        "Bun, four with `reusePort`",
        BUN,
        ("app.js",),
        {"app.js": _BUN},
        calls=(*EPOLL, "epoll_pwait2"),
        http=True,
        strategy="epoll.level.nothing",
    ),
)

"""Application servers that run only where all servers are asked for: Python, Ruby, PHP."""

from __future__ import annotations

from typing import Any

from .core_rows import APP, GUNICORN
from .server import ALONE, EPOLL, SELECT, WORKERS, Program, Server, apt, pip

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
ACTIVATE = apt("systemd-socket-activate", "systemd")

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
        says=("Running on", WORKERS),
        woken=WORKERS,
    ),
    _more(
        "sanic",
        "Sanic, `--workers 4`",
        SANIC,
        ("app:app", "--host", "127.0.0.1", "--port", "$port", "--workers", str(WORKERS)),
        {"app.py": _SANIC},
        processes=0,
        says=("Worker ready", WORKERS),
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
        **ALONE,
        strategy="select",
    ),
    _more(
        "daphne",
        "Daphne",
        DAPHNE,
        ("-b", "127.0.0.1", "-p", "$port", "app:asgi"),
        {"app.py": APP},
        **ALONE,
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
)

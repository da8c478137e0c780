"""Servers in Java, Go and JavaScript, which run only where all servers are asked for."""

from __future__ import annotations

from .server import ALONE, EPOLL, WORKERS, Server, apt, npm

TOMCAT = apt("java", "tomcat10")
JETTY = apt("java", "jetty9")
ETCD = apt("etcd", "etcd-server")
NATS = apt("nats-server", "nats-server")
DENO = npm("deno")
BUN = npm("bun")

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


ROWS = (
    Server(
        "tomcat",
        "Tomcat (Java)",
        TOMCAT,
        (*_TOMCAT, "org.apache.catalina.startup.Bootstrap", "start"),
        {"conf/server.xml": _SERVER_XML, "conf/web.xml": "<web-app/>"},
        calls=("accept", "accept4", "poll", "ppoll"),
        **ALONE,
        strategy="accept",
        ask=b"GET / HTTP/1.0\r\n\r\n",
        hears=b"HTTP/1",
        before="mkdir webapps logs temp",
        more=True,
    ),
    Server(
        "jetty",
        "Jetty (Java)",
        JETTY,
        (*_JETTY, "jetty.http.port=$port", "jetty.http.host=127.0.0.1"),
        {},
        calls=("accept", "accept4"),
        **ALONE,
        strategy="accept",
        ask=b"GET / HTTP/1.0\r\n\r\n",
        hears=b"HTTP/1",
        before=f"mkdir temp && java {' '.join(_JETTY)} --create-startd --add-to-start=http".replace("$folder", "."),
        more=True,
    ),
    Server(
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
        **ALONE,
        strategy="epoll.edge.listener",
        ask=b"GET /version HTTP/1.0\r\n\r\n",
        hears=b"HTTP/1",
        more=True,
    ),
    Server(
        "nats",
        "NATS (Go)",
        NATS,
        ("-a", "127.0.0.1", "-p", "$port"),
        {},
        **ALONE,
        strategy="epoll.edge.listener",
        ask=b"PING\r\n",
        hears=b"INFO",
        more=True,
    ),
    Server(
        "deno",
        "Deno, `serve --parallel`",
        DENO,
        ("serve", "--parallel", "--host", "127.0.0.1", "--port", "$port", "app.js"),
        {"app.js": _DENO},
        environment={"DENO_JOBS": str(WORKERS)},
        processes=1,
        strategy="epoll.edge.listener",
        woken=WORKERS,
        more=True,
    ),
    Server(
        "bun",
        "Bun, four with `reusePort`",
        BUN,
        ("app.js",),
        {"app.js": _BUN},
        calls=(*EPOLL, "epoll_pwait2"),
        http=True,
        strategy="epoll.level.nothing",
        more=True,
    ),
)

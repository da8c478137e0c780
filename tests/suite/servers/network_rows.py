"""Databases and others that speak no HTTP; they run only where all are asked for."""

from __future__ import annotations

from .server import SELECT, WORKERS, Server, apt

MEMCACHED = apt("memcached", "memcached")
REDIS = apt("redis-server", "redis-server")
PGPOOL = apt("pgpool", "pgpool2")
POSTGRESQL = apt("setpriv", "postgresql-15")
_POSTGRES = "/usr/lib/postgresql/15/bin"
_AS_POSTGRES = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
DOVECOT = apt("dovecot", "dovecot-imapd")
POSTFIX = apt("/usr/lib/postfix/sbin/master", "postfix")

_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # PostgreSQL, Message Formats


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

_POSTFIX = {
    "etc/main.cf": """\
compatibility_level = 3.6
queue_directory = $folder/q
data_directory = $folder/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost.test
mydestination =
maillog_file = /dev/stdout
alias_maps =
alias_database =
""",
    "etc/master.cf": f"""\
127.0.0.1:$port inet n - n - {WORKERS} smtpd
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
proxymap unix - - n - - proxymap
""",
}

ROWS = (
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
    Server(
        "postfix",
        "Postfix, four smtpd",
        POSTFIX,
        ("-c", "$folder/etc", "-d"),
        _POSTFIX,
        processes=0,
        waiting=0,
        clients=WORKERS,
        ask=b"QUIT\r\n",
        hears=b"220",
        before="mkdir data q && cd q && mkdir pid private public active incoming defer maildrop && "
        "chown postfix ../data private public active incoming defer maildrop",
        more=True,
    ),
)

"""The name by which the audit calls a server."""

from __future__ import annotations

import pytest

from probes.audit.names import is_title, name_from, options_of

PYTHON, JAVA = "/usr/bin/python3.11", "/usr/lib/jvm/java-17/bin/java"


@pytest.mark.parametrize(
    ("words", "program", "comm", "name"),
    [
        (["nginx: master process nginx -g daemon off;"], "/usr/sbin/nginx", "nginx", "nginx"),
        (["/usr/sbin/apache2", "-D", "FOREGROUND"], "/usr/sbin/apache2", "apache2", "apache2"),
        (["python3", "-m", "http.server", "8000"], PYTHON, "python3", "http.server"),
        (["python3", "-X", "dev", "-W", "error", "-m", "http.server"], PYTHON, "python3", "http.server"),
        (["/v/bin/python", "/v/bin/gunicorn", "-w", "4", "app:app"], PYTHON, "gunicorn", "gunicorn"),
        (["gunicorn: master [app:app]"], PYTHON, "gunicorn: maste", "gunicorn"),
        (["python3", "-c", "import x"], PYTHON, "python3", "python3"),
        (["node", "--require", "./x.js", "/srv/cluster.js"], "/usr/bin/node", "node", "cluster.js"),
        (["puma 6.4.2 (tcp://0.0.0.0:9292) [app]"], "/usr/bin/ruby3.1", "ruby", "puma"),
        (["php", "-S", "127.0.0.1:80"], "/usr/bin/php8.2", "php", "php"),
        (["php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"], "/usr/sbin/php-fpm8.2", "php-fpm", "php-fpm"),
        (["java", "-Xmx1g", "-cp", "/x/bootstrap.jar", "org.apache.Bootstrap", "start"], JAVA, "java",
         "org.apache.Bootstrap"),
        (["java", "-Xmx1g", "-jar", "/opt/app.jar"], JAVA, "java", "app.jar"),
        (["/usr/lib/postfix/sbin/master", "-w"], "/usr/lib/postfix/sbin/master", "master", "postfix master"),
        (["/usr/lib/postgresql/15/bin/postgres", "-D", "x"], "/usr/lib/postgresql/15/bin/postgres", "postgres",
         "postgres"),
        (["/usr/libexec/a-rather-long-name-for-a-daemon"], "/usr/libexec/a-rather-long-name-for-a-daemon",
         "a-rather-long-n", "a-rather-long-name-for-a-daemon"),
        (["/usr/lib/systemd/systemd"], "/usr/lib/systemd/systemd", "systemd", "systemd"),
        ([], "/usr/sbin/x", "x", "x"),
    ],
)  # fmt: skip
def test_name(words: list[str], program: str, comm: str, name: str) -> None:
    assert name_from(words, program, comm) == name


def test_titles() -> None:
    assert is_title(["gunicorn: master [app:app]"])
    assert not is_title(["/srv/my server"])
    assert not is_title(["nginx", "-g", "daemon off;"])


def test_options_of_gunicorn_may_stand_in_a_variable() -> None:
    assert options_of(["gunicorn"], {"GUNICORN_CMD_ARGS": "--reuse-port -w 4"}) == [
        "gunicorn",
        "--reuse-port",
        "-w",
        "4",
    ]

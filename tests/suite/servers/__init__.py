"""Real servers, started from their packages and audited while they run; not part of the default run.

python -m pytest tests/suite/servers       (tox -e servers installs what PyPI has; apt has the others)
python -m tests.suite.servers.table        measures them all, and prints the table of docs/servers.md
python -m tests.suite.servers.latency      requests with and without an audit beside them
"""

"""Everything is in `probes/plugin.py`."""

pytest_plugins = ["probes.plugin"]

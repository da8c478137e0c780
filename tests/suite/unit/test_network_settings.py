"""A setting that an experiment needs is set if that is allowed, and named if it is not."""

from __future__ import annotations

from typing import Any

import pytest

from probes.lab import network
from probes.verdict import Inconclusive, NotApplicable


class _Settings:
    """A host's settings; a namespace of our own begins with the kernel's defaults."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, values: dict[str, int], *, denied: bool) -> None:
        self.values, self._denied = values, denied
        monkeypatch.setattr(network, "setting", self.setting)
        monkeypatch.setattr(network, "own_network", self.own)
        monkeypatch.setattr(network.os.path, "exists", lambda path: path.removeprefix("/proc/sys/net/") in values)

    def setting(self, name: str, value: int | None = None) -> int:
        if name not in self.values:
            raise NotApplicable(f"/proc/sys/net/{name}: No such file or directory")
        if value is not None:
            self.values[name] = value
        return self.values[name]

    def own(self) -> None:
        if self._denied:
            raise NotApplicable("a network namespace to change settings in: Operation not permitted")


def _needs_no_cookies() -> None:
    network.needs("ipv4/tcp_syncookies", lambda value: value != 2, 1, "0 or 1")


@pytest.mark.parametrize("values", [{"ipv4/tcp_syncookies": 1}, {}])
def test_setting_that_suits_or_is_not_there(monkeypatch: pytest.MonkeyPatch, values: dict[str, int]) -> None:
    before = dict(values)
    _Settings(monkeypatch, values, denied=True)
    _needs_no_cookies()
    assert values == before


def test_setting_is_set_where_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _Settings(monkeypatch, {"ipv4/tcp_syncookies": 2}, denied=False)
    _needs_no_cookies()
    assert settings.values == {"ipv4/tcp_syncookies": 1}


def test_setting_that_may_not_be_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _Settings(monkeypatch, {"ipv4/tcp_syncookies": 2}, denied=True)
    with pytest.raises(Inconclusive, match=r"^net\.ipv4\.tcp_syncookies is 2, and 0 or 1 is needed; it may not be set"):
        _needs_no_cookies()


def test_odd_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(values: dict[str, int]) -> Any:
        _Settings(monkeypatch, values, denied=True)
        return [words for words in network.odd_settings() if "port_range" not in words]

    assert odd({"core/somaxconn": 4096, "ipv4/tcp_syncookies": 1}) == []
    assert odd({"core/somaxconn": 1, "ipv4/tcp_syncookies": 2}) == [
        "net.core.somaxconn is 1",
        "net.ipv4.tcp_syncookies is 2",
    ]

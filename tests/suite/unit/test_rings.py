"""A ring that cannot be had leaves no descriptor open, and the reason tells a limit from a refusal."""

from __future__ import annotations

import errno
import mmap
import os
from typing import Any

import pytest

from probes.rings import Ring
from probes.verdict import Inconclusive, NotApplicable


@pytest.mark.parametrize("failing", [0, 1], ids=["the rings", "the requests"])
@pytest.mark.parametrize(("number", "kind"), [(errno.ENOMEM, Inconclusive), (errno.EACCES, NotApplicable)])
def test_memory_that_is_not_to_be_had(
    failing: int, number: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        Ring().close()
    except NotApplicable as reason:
        pytest.skip(str(reason))
    maps, mapped = mmap.mmap, iter(range(2))

    def fails(*arguments: Any, **named: Any) -> mmap.mmap:
        if next(mapped) == failing:
            raise OSError(number, os.strerror(number))
        return maps(*arguments, **named)

    before = os.listdir("/proc/self/fd")
    with monkeypatch.context() as scarce:
        scarce.setattr(mmap, "mmap", fails)
        with pytest.raises(kind, match="io_uring: mmap: "):
            Ring()
    assert os.listdir("/proc/self/fd") == before

"""The questions to epoll_ctl fail when the kernel answers otherwise."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pytest

from probes.fixtures import Ask
from tests.kernel import test_epoll_ctl


class _AcceptsEverything:
    """An epoll instance of a kernel without a single rule."""

    def register(self, *_: object) -> None:
        pass

    modify = unregister = register


def _questions() -> list[tuple[FunctionType, dict[str, Any]]]:
    """Every test of test_epoll_ctl.py, with its arguments."""
    questions = []
    for test in vars(test_epoll_ctl).values():
        if not isinstance(test, FunctionType) or not hasattr(test, "claim"):
            continue
        wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
        fixtures = {name: _AcceptsEverything() for name in ("instance", "target") if name in wanted}
        marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        if not marks:
            questions.append((test, fixtures))
        for mark in marks:
            questions += [(test, {**fixtures, mark.args[0]: value}) for value in mark.args[1]]
    return questions


QUESTIONS = _questions()
_IDS = ["-".join([test.__name__, *(v for v in given.values() if isinstance(v, str))]) for test, given in QUESTIONS]


def _complaint(test: FunctionType, given: dict[str, Any], ask: Ask) -> str | None:
    """What the test says when it fails; None when it passes."""
    try:
        test(ask=ask, **given)
    except AssertionError as failure:
        return str(failure)
    return None


def _answering(answer: str) -> Callable[[], None]:
    """A call to which the kernel gives this answer."""

    def call() -> None:
        if answer != "ok":
            number = getattr(errno, answer)
            raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(("test", "given"), QUESTIONS, ids=_IDS)
@pytest.mark.parametrize("answer", ["ok", "EINVAL", "EEXIST", "EBADF"])
def test_epoll_ctl_question_fails_when_the_answer_differs(
    ask: Ask, test: FunctionType, given: dict[str, Any], answer: str
) -> None:
    asked = []

    def rigged(id: str, what: str, expected: str, call: Callable[[], Any]) -> None:
        asked.append(expected)
        ask(id, what, expected, _answering(answer))

    complaint = _complaint(test, given, rigged)
    if complaint is None:
        assert set(asked) == {answer}
    else:
        assert asked[-1] != answer
        assert f"{answer}; the claim allows {asked[-1]}" in complaint


def test_epoll_ctl_claims_break_on_a_kernel_without_rules(ask: Ask) -> None:
    assert {test.claim.id for test, given in QUESTIONS if _complaint(test, given, ask)} == {
        "epoll-ctl.exclusive-refuses-others",
        "epoll-ctl.exclusive-only-by-add",
        "epoll-ctl.exclusive-not-modified",
        "epoll-ctl.exclusive-not-nested",
        "epoll-ctl.twice-is-eexist",
    }

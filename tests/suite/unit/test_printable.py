"""Text from outside neither controls the terminal nor breaks a line."""

from __future__ import annotations

import pytest

from probes.audit.find import BadTarget
from probes.printable import lines, one_line, printable, printable_all


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nginx: master [app]\xa0é 漢", "nginx: master [app]\xa0é 漢"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\rc\td\0", r"a\nb\rc\td\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202e\u2028", r"\u202e\u2028"),
        ("\udcff\ud800", r"\xff\ud800"),
        ("::error::x", r"\x3a:error::x"),
        ("  ::set-env name=x::y", r"  \x3a:set-env name=x::y"),
        ("[::1]:80 and ::1", "[::1]:80 and ::1"),
        ("a ##[error]x ##vso[task]", r"a #\x23[error]x #\x23vso[task]"),
        ("## heading [1]", "## heading [1]"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode()


def test_prose_is_one_line() -> None:
    assert one_line(" a\n b\t\u2028c \x1b") == r"a b c \x1b"
    assert one_line("\n::error::x") == r"\x3a:error::x"


def test_lines_stay_lines() -> None:
    assert lines("a\n::error::x\n\tb\x1b") == "a\n\\x3a:error::x\n\\tb\\x1b"


def test_every_text_of_an_answer() -> None:
    assert printable_all({"a\n": ["\x1b", {"b": ("\0", 1, None, True)}]}) == {
        r"a\n": [r"\x1b", {"b": [r"\x00", 1, None, True]}]
    }


def test_a_refusal_is_one_line() -> None:
    assert str(BadTarget("nothing listens on @x\n\x1b[2J")) == r"nothing listens on @x\n\x1b[2J"

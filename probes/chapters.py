"""Where the chapters are: the test modules that hold the claims, and what belongs to them.

In a checkout they are in `tests/kernel`.  A wheel carries them inside this package, laid out as in a checkout
(pyproject.toml, force-include), so that an installed Wakecheck judges from any folder.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from .exits import BadInput

_PACKAGE = Path(__file__).resolve().parent
CARRIED = _PACKAGE / "carried"
FOLDER = "tests/kernel"
"""Of the chapters, below `HOME`."""


def _home() -> Path:
    checkout = _PACKAGE.parent
    return checkout if (checkout / FOLDER).is_dir() or not CARRIED.is_dir() else CARRIED


HOME = _home()
"""The folder that holds pytest.ini, tests/kernel and expectations: the checkout, or what the wheel carries of it."""


class NoChapters(BadInput):
    """There are no chapters here; the message is one sentence for the user."""


def modules(home: Path = HOME) -> list[ModuleType]:
    """Every chapter, imported.  Raises NoChapters if there are none.

    Under pytest call this no earlier than pytest_configure: from then on pytest rewrites the asserts of what is
    imported under a test's name, whoever imports it.
    """
    files = sorted((home / FOLDER).glob("test_*.py"))
    if not files:
        raise NoChapters(f"{home / FOLDER} holds no claims: install Wakecheck anew, or use a whole checkout")
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))
    package = FOLDER.replace("/", ".")
    return [importlib.import_module(f"{package}.{file.stem}") for file in files]

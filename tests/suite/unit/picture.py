"""The picture in the README: dots and growth of one run.

python -m tests.suite.unit.picture RUN.JSON   takes them from this run
python -m tests.suite.unit.picture            draws them again from docs/herd.json, which keeps what was seen
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from probes import host
from probes.report import pictures
from probes.report.run import load

FOLDER = host.PROJECT / "docs"
KEPT = FOLDER / "herd.json"


def main(arguments: Sequence[str]) -> int:
    """Keep what a run saw, if one is named, and draw."""
    if arguments:
        run = load(arguments[0])
        seen = {"about": pictures.about(run), "dots": pictures.herd_dots(run), "growth": pictures.herd_lines(run)}
        KEPT.write_text(json.dumps(seen, separators=(",", ":")) + "\n", encoding="utf-8")
    for name, drawing in files().items():
        (FOLDER / name).write_text(drawing, encoding="utf-8")
    return 0


def files() -> dict[str, str]:
    """The pictures of what is kept."""
    seen: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    grown = {strategy: [(n, woken) for n, woken in line] for strategy, line in seen["growth"].items()}
    return pictures.drawn(seen["about"], seen["dots"], grown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

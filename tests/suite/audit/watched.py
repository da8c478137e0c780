"""An audit with --watch that says when it begins to count: `python -m tests.suite.audit.watched --port 80 --watch 5`.

Prints `counting` to standard error at that moment, and the answer as JSON at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from probes.audit.arguments import add_to, request_from
from probes.audit.auditing import audit
from probes.audit.traffic import watching
from probes.host import PROJECT

from .schema import violation

PATIENCE_S = 150


def main(arguments: Sequence[str]) -> None:
    """Watch, and print."""
    parser = argparse.ArgumentParser()
    add_to(parser)
    parser.add_argument("--most-records", type=int, default=watching.MOST_RECORDS_PER_S, help="another bound")
    options = parser.parse_args(arguments)
    watching.MOST_RECORDS_PER_S = options.most_records
    said: list[str] = []

    def tell(what: str) -> None:
        if what.startswith("second ") and not said:
            said.append(what)
            print("counting", file=sys.stderr, flush=True)

    print(json.dumps(audit(request_from(options), tell)))


def while_watched(
    arguments: Sequence[object], act: Callable[[], Any], prefix: Sequence[str] = ()
) -> tuple[dict[str, Any], Any]:
    """The answer of a watch with these arguments, and what `act`, called once it counts, returned.

    AssertionError where it does not count, or prints no answer.
    """
    line = [*prefix, sys.executable, "-m", "tests.suite.audit.watched", *map(str, arguments)]
    with subprocess.Popen(line, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        if said != "counting\n":
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not begin to count: {said}{err}{out}")
        done = act()
        out, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    answer: dict[str, Any] = json.loads(out)
    assert violation(answer) is None, violation(answer)
    return answer, done


if __name__ == "__main__":
    main(sys.argv[1:])

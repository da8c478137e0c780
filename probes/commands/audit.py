"""`wakecheck audit`: how many workers of a running server one connection wakes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..audit.arguments import add_to, request_from
from ..exits import BadInput


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which server, and how to audit it."""
    add_to(parser)


def run(options: argparse.Namespace) -> int:
    """Audit and print; the answer's own exit code.  Raises BadInput, and BadTarget for what cannot be audited."""
    from rich.console import Console
    from rich.markup import escape

    from ..audit import several
    from ..audit.auditing import audit
    from ..audit.words import lines
    from ..printable import printable, printable_all
    from ..report import audit_page
    from ..report.files import why_not_writable, write_whole

    request = request_from(options)
    if options.html is not None and (problem := why_not_writable(Path(options.html), named=True)):
        raise BadInput(problem)
    # The audit forks, so the display, which has a thread, begins when it has something to show.
    status = Console(stderr=True).status("")

    def tell(what: str) -> None:
        status.start()
        status.update(escape(printable(what)))

    answers = []
    for asked in several.requests_for(request):
        try:
            answers.append(audit(asked, tell))
        finally:
            status.stop()
    alone = len(answers) == 1
    answer = answers[0] if alone else several.together(answers)
    shown = printable_all(answer)
    if options.html:
        write_whole(audit_page.render(shown) if alone else audit_page.render_several(shown), options.html)
    # JSON has an escape of its own for all of that (RFC 8259), and its readers want what is so.
    print(json.dumps(answer, indent=2) if options.json else "\n".join((lines if alone else several.lines)(shown)))
    if options.html:
        print(f"page: {printable(options.html)}", file=sys.stderr if options.json else sys.stdout)
    code: int = answer["exit_code"]
    return code

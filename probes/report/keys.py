"""What `compare --help` teaches.  Apart from the rest, so that the command line starts fast."""

from __future__ import annotations

KEYS = """\
keys of --json:
  before, after      label, release, revision (of the suite), partial
  warnings           sentences: different revisions, a partial run, a failed control
  worse, better, changed, numbers
                     lists of {what: claim|case|control|kernel, claim, case (a case's id, a control's name),
                     figure (woken, returned, order), before, after, reason, expected}; null where it says nothing
  same               how many claims have the same verdict in both

worse: a claim, case or control went from held or measured to not applicable, from there to inconclusive or
not judged, from there to broken, or skipped a step on that way; or the kernel complained, and did not before.
better: held now.  changed: anything else, from broken to inconclusive, say.
numbers: woken and returned under hold, the order of a series, and woken elsewhere where the ranges do not meet.

exit codes: 0 nothing got worse, 1 something did, 2 bad input
"""

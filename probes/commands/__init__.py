"""The commands, a module each, imported when one is asked for.

A module has `arguments(parser)`, which adds the options, and `run(options)`, which acts and returns the exit code.
A new command: a module here, and a row in `SUMMARIES`.
"""

from __future__ import annotations

SUMMARIES = {
    "judge": "judge this kernel, claim by claim, and write report/index.html (takes pytest's arguments)",
    "host": "say what can be observed on this machine, and how to get the rest",
    "list": "list the claims, one per line, id first",
    "show": "show one claim: sentence, level, basis, drawing, cases",
    "run": "run one scenario: a histogram over its trials, and who woke whom",
    "report": "write the page of a run, or the matrix of several runs: claims against kernels",
    "summary": "print runs as Markdown, for CI services; exits with 0 whatever their verdicts",
    "compare": "say what differs between two runs, and whether it got worse",
    "kernels": "run the claims in other kernels, and compare them in a matrix",
    "audit": "count how many workers of a running server one connection wakes",
    "serve": "run one of the textbook servers, to look at or to copy",
    "cost": "measure what each strategy costs a server, and who waits: CPU time, latency, fairness",
    "bench": "measure what a trial costs, against a bare loop of fork, accept and kill",
}

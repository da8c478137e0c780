"""What becomes of a run: one writer per file, and every writer reads nothing but the run's dict.

`run.py` reads and writes run.json (`run.schema.json` is its contract); `page.py` makes the HTML page,
`formats.py` lists the others, KTAP among them, `terminal.py` what pytest prints last; of several runs `matrix.py` makes one page, and
`compare.py` tells two apart; `command.py` is what the command line asks for.  `figures.py`,
`numbers.py`, `strategies.py`, `orders.py`, `lineage.py`, `expected.py` and `words.py` hold what they
share: numbers, rows and phrases, without any markup.  `recorder.py` makes the run's dict, and
`files.py` writes whole files.
"""

"""What becomes of a run: one writer per file, and every writer reads nothing but the run's dict.

`run.py` reads and writes run.json (`run.schema.json` is its contract), `page.py` makes the HTML page, and
`formats.py` lists the other formats, KTAP among them.  `terminal.py` is what pytest prints last.  Of several runs
`matrix.py` makes one page, and `compare.py` says what differs between two.  `figures.py`, `numbers.py`,
`strategies.py`, `orders.py`, `lineage.py`, `expected.py` and `words.py` hold what they share: numbers, rows and
phrases, without any markup.  `recorder.py` makes the run's dict, `places.py` says where its files go, and
`files.py` writes whole files.
"""

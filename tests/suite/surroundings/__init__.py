"""Judges every claim in hostile surroundings: `tox -e surroundings`.

places        the surroundings, one entry each
judged_here   judges all claims on this kernel in one of them, in a process of its own
neighbours    judges them while a neighbour disturbs each experiment once
machine_wide  judges some of them in a guest, under settings of the whole machine
outcomes      starts judged_here or neighbours, and reads the outcomes
child         a child that judges in another place, and returns the outcomes
page          docs/surroundings.md: the outcomes
"""

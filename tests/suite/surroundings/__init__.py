"""Every claim in surroundings that are hostile: `tox -e surroundings`.

places       the surroundings, a row each
judged_here  judges all claims on this kernel in one of them, in a process of its own
page         docs/surroundings.md: what came of it
"""

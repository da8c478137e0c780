"""Experiments: short plays on a stage of their own, for what is no herd of equal waiters.

An experiment is a function that takes a `Stage` (probes/lab/stage.py), does something with sockets
and actors, and notes what it saw; the claim, in tests/, says what it should have seen.  A new one:
a function in the file of its subject, named `subject.function` where it is asked for.
"""

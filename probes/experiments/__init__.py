"""Experiments: for claims about anything but a herd of equal waiters.

An experiment is a function that takes a `Stage` (probes/lab/stage.py), does something with sockets and actors, and
notes what it saw as facts; the claim, in tests/kernel, says what each fact must be.  To add one, write a function in
the file of its subject; claims name it `subject.function`.
"""

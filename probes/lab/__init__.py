"""Mechanism only: how an arrangement is made, proven, stirred, settled and cleared away.

session    in the test process: starts conductors and talks to them
conductor  a small single-threaded process of its own: answers one scenario after another
trial      one arrangement, one stimulus, one evidence
herd       forks the waiters, and ends them
waiter     what runs inside a waiter
rest       the one way to decide that somebody sleeps: two equal looks
blocked    proofs about waiters: blocked, at rest
board      what each waiter writes down
stage      an experiment
actor      the processes in it, and proofs about them
fence      proof that every wake-up that was under way has been issued
fork       fork(2) alone, the cheapest for a process of one thread
sentinel   a sleeper that nobody has a reason to wake: it tells of freezers
wakers     who may wake a sleeper, by the scheduler's tracepoint
denial     system calls that a sandbox denies
isolation  namespaces of its own, where allowed
"""

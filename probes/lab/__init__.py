"""Mechanism only: how waiters are arranged, proven blocked, stimulated, brought to rest and removed.

session      in the test process: starts conductors and talks to them
conductor    a small single-threaded process that runs one scenario after another
trial        one arrangement, one stimulus, and the evidence of it
herd         forks the waiters, and ends them
waiter       what runs inside a waiter
plain        waiters that run no Python
machine      the machine code that these run instead
rest         how the lab decides that a task sleeps: two equal looks
blocked      proofs about waiters: blocked, at rest
board        shared memory in which each waiter records what happened to it
instruments  the observers of one conductor
ledger       what each step of a trial moved, and what became of each waiter
stage        the process in which an experiment runs
actor        the processes of an experiment, and proofs about them
features     asks the kernel for features that it may lack
network      a network namespace's settings and counters
fence        proof that every wake-up that was under way has been issued
fork         fork(2) without the handlers of os.fork
sentinel     a process that nobody has a reason to wake: if it ran, a freezer did
wakers       who woke a sleeper, by the scheduler's tracepoint
inherited    signals, limits and the like, set to what the lab expects
denial       system calls that a sandbox denies
isolation    the conductor's own namespaces, if they are allowed
sweep        removes what killed conductors left behind
answers      answers that may never come, where rest does not show
deadline     waiting for a condition, with a deadline and without a sleep
slowness     how slow this machine is, by which deadlines are scaled
"""

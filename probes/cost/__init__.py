"""What each strategy costs a server, and who waits: `wakecheck cost`.

ways       the strategies, under the names that people use
plan       what is measured: scenes (load and work), sizes, rounds
rig        a small single-threaded process of its own: one reading after another
herd       the workers of one reading: forked, proven asleep, ended
worker     what runs inside a worker: wait, accept, work, answer, close
tally      shared memory, one line per worker: what it counted itself
watch      what the kernel says of the workers: switches, CPU time, at rest
clients    who connects: one at a time, or a closed loop
session    starts the rig, and reads what it measured
reading    the record of one reading
checks     what must be true of every reading, or none of them counts
figures    one reading in figures, and figures over rounds as ratios to `accept`
answer     everything as one JSON document (cost.schema.json)
words      where the figures come from, in a line or two
table      the terminal
charts     SVG, a folder
measure    runs all of it; the command line is probes/commands/cost.py
"""

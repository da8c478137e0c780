"""What the suite itself is held to.

unit     everything that needs no root and no waiting, models of broken kernels among it
audit    the audit, on small servers of its own
servers  the audit, on real servers
system   what is left behind after a kill, and what is judged where something is denied
soak     claims in changing surroundings, until a time is over
fuzz     input that hypothesis makes up
surroundings  every claim in places where something is denied, scarce or set otherwise
guests   boots kernels in QEMU and gVisor
ci       what CI services and fleets run
"""

"""Other kernels: the catalogue, how each is fetched and booted, and how pytest is run inside.

`catalogue.py` names the kernels.  `versions.py`, `archive.py`, `toolbox.py` and `fetch.py` get them with apt into a
cache folder, never onto this host.  `qemu.py`, `uml.py`, `gvisor.py`, `vng.py` and `here.py` each say how one kind of
guest is started; `bytecode.py` compiles what all of them import; `guest.py` follows a guest from its start to its end;
`runner.py` makes a run.json of what it left.
`probes/commands/kernels.py` is `wakecheck kernels`.
"""

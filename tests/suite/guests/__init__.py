"""Boots guests for real, QEMU and gVisor: `tox -e kernels`.  Needs root or user namespaces; fetches what it lacks."""

"""Boots guests for real: QEMU and gVisor.  `tox -e kernels`; needs root or user namespaces, and fetches what it lacks."""

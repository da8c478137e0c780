"""Tests of the suite as a whole process: what it leaves behind, and how it degrades.  `tox -e system` runs them."""

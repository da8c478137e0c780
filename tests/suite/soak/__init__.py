"""Claims in changing surroundings, again and again, until a time is over or a verdict is false: `tox -e soak`."""

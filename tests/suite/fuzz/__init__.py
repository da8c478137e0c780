"""What comes from outside, made up by hypothesis with a fixed seed: `tox -e fuzz`."""

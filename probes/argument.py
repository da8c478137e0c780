"""A kind of argument that several commands take."""

from __future__ import annotations

import argparse


def path(text: str) -> str:
    """The name of a file or a folder, for argparse: an empty one would mean the folder we are in, or none."""
    if not text:
        raise argparse.ArgumentTypeError("the name of the file or folder is empty")
    return text

"""How much waits to be read, of what is read as a stream of bytes."""

from __future__ import annotations

import array
import fcntl
import socket
import termios


def unread(end: int | socket.socket) -> int:
    """Bytes that have arrived and were not read (FIONREAD: tcp(7), pipe(7), ioctl_tty(2))."""
    count = array.array("i", [0])
    fcntl.ioctl(end, termios.FIONREAD, count)
    return count[0]

"""How readiness is reported: by POLLRDNORM alone, by a signal, and when a pipe grows."""

from __future__ import annotations

import pytest

from probes.claims import OBSERVED, claim, kernel, linux, man
from probes.fixtures import Play


@claim(
    "sources.normal-data-is-input",
    "A poll for POLLRDNORM alone wakes whenever POLLIN would, on a pipe, a terminal and a socket; an eventfd reports "
    "only POLLIN.",
    level=OBSERVED,
    basis=[
        man("poll", 2, "POLLRDNORM: equivalent to POLLIN"),
        kernel("fs/eventfd.c", "eventfd_poll: EPOLLIN, without EPOLLRDNORM"),
        linux("5.17", "c816b2e65b0e", "n_tty: wake up poll(POLLRDNORM) on receiving data"),
    ],
)
@pytest.mark.parametrize(
    ("source", "waiter"),
    [("pipe", "told"), ("pty", "told"), ("unix-connected", "told"), ("udp4", "told"), ("eventfd", "blocked")],
)
def test_normal_data_is_input(play: Play, source: str, waiter: str) -> None:
    """
    w0 (poll: POLLRDNORM) ---> fd  <- one write
    """
    play("reported.normal_data", source).expect("waiter", waiter)


@claim(
    "sources.pipe-signals-each-write",
    "The owner of a pipe with O_ASYNC gets a SIGIO for each write, even while earlier data are unread.",
    level=OBSERVED,
    basis=[
        kernel("fs/pipe.c", "pipe_write: kill_fasync, whether the pipe was empty or not"),
        linux("5.14", "fe67f4dd8daa", "pipe: do FASYNC notifications for every pipe IO, not just state changes"),
    ],
)
def test_pipe_signals_each_write(play: Play) -> None:
    """
    p (SIGIO) <--- pipe  <- "x", "x", nothing read
    """
    seen = play("reported.signalled")
    seen.expect("first", True)
    seen.expect("second", True)


@claim(
    "sources.larger-pipe-wakes-writers",
    "Enlarging a full pipe returns the writers that sleep on it, without a read.",
    level=OBSERVED,
    basis=[linux("6.8", "e95aada4cb93", "pipe: wakeup wr_wait after setting max_usage")],
)
def test_larger_pipe_wakes_writers(play: Play) -> None:
    """
    w0 w1 (write)  ---> full pipe  <- F_SETPIPE_SZ
    """
    play("reported.made_larger").expect("returned", 2)

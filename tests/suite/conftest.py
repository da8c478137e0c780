"""What the suite's own tests start behaves the same however they were started themselves."""

import signal
import threading


def _be_deaf_without_passing_it_on() -> None:
    """Under nohup, and in a shell's background job, SIGHUP or SIGINT are ignored, and programs inherit that.

    Tests send such signals to what they start.  A handler that does nothing is as deaf, and is not inherited: execve(2)
    resets it to the default.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, lambda *_: None)


_be_deaf_without_passing_it_on()

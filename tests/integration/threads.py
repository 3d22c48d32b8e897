# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads whose errors are not lost, and what they are used for."""

import threading


def in_thread(function, *arguments):
    """Starts it; join() raises what it raised."""
    thread = threading.Thread(target=lambda: keep(thread, function, arguments), daemon=True)
    thread.error = None
    thread.start()
    return thread


def keep(thread, function, arguments):
    try:
        function(*arguments)
    except BaseException as error:
        thread.error = error


def join(thread, seconds=300):
    thread.join(seconds)
    assert not thread.is_alive(), "a thread does not end"
    if thread.error:
        raise thread.error


def hash_bytes(sock, size, into):
    """Receives so many bytes into a hash."""
    room = memoryview(bytearray(1 << 20))
    while size > 0:
        got = sock.recv_into(room, min(len(room), size))
        assert got > 0, "FIN with %d bytes to come" % size
        into.update(room[:got])
        size -= got

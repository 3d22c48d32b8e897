# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cases about deadlines share."""

import time

from harness import scale
from wsclient import FIN, Timeout

EARLY_MS = 60  # what clocks that are read at different ends may differ by


def settings(**given):
    """The keys of a route: the three that can be are off, then what is given."""
    keys = {"ping_interval": "0", "idle_timeout": "0", "max_age": "0", **given}
    return "".join("%s = %s\n" % item for item in keys.items())


def frames_for(c, seconds):
    """Every frame that comes in that time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        c.wire.set_timeout(left)
        try:
            got = c.recv_frame()
        except Timeout:
            break
        finally:
            c.wire.set_timeout(20 * scale())
        yield got


def end_by_client(c, peer, data=b"", code=1000):
    """The client's goodbye; the backend gets these bytes and FIN, and ends too."""
    c.close(code)
    peer.expect_fin(data)
    peer.close()
    c.recv_close(code, has_reason=False)
    c.wire.finish()
    c.recv_end(FIN)


def check_duration(line, from_ms, to_ms):
    """Of a session.end line: not before the time was up, and not much later."""
    duration_ms = int(line["duration_ms"])
    assert duration_ms >= from_ms - EARLY_MS, "after %d ms instead of %d" % (duration_ms, from_ms)
    assert duration_ms <= to_ms + 3000 * scale(), "after %d ms: %r" % (duration_ms, line)

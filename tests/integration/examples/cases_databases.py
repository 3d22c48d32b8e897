# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that a page speaks with in their own protocol: Redis and PostgreSQL."""

import examples
import postgresql
from harness import case, equal
from services import redis as start_redis


@case()
def redis(t):
    """A command in pieces, many in one message, 3 MiB there and back, a subscription."""
    p = examples.start(t, "redis.ini", backend="tcp://127.0.0.1:%d" % start_redis(t))
    examples.run_page(t, "redis_page.js", examples.url(p))
    equal([line["ending"] for line in p.log.wait("session.end", 2)], ["client_close"] * 2, "ends")


@case(timeout=90)
def postgres(t):
    """npm's pg: a login by password, parameters, 5 MB of rows, 3 MiB of a parameter, an error,
    a notification."""
    p = examples.start(t, "postgresql.ini", backend="tcp://127.0.0.1:%d" % postgresql.start(t))
    examples.run_page(t, "postgresql_page.js", examples.url(p))
    line = p.one_end(route="sql")
    assert line["ending"] in ("client_close", "backend_close"), line

# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that resume TLS again and again."""

from cases_tls import ECHO, echo_once
from harness import case


@case(timeout=120)
def a_long_row(t):
    """Each session resumes the one before. Now and then the client may have to shake hands in full;
    it is never turned away."""
    p = t.gateway(r=ECHO)
    context = t.tls_context()
    session, resumed = None, 0
    for _ in range(300):
        c = p.client(context=context, session=session)
        resumed += c.wire.tls.session_reused
        echo_once(c)
        session = c.wire.tls.session
    assert resumed >= 297, resumed
    p.log.wait("session.end", 300, ending="client_close")

# SPDX-License-Identifier: GPL-3.0-or-later
"""With permessage-deflate agreed on, a message that is not compressed (RFC 7692 6) still obeys all
rules of RFC 6455: the same rows go another way through the program.
"""

import cases_conformance as frames
import cases_conformance_close as ends
import cases_conformance_text as texts
from deflateclient import DeflateClient
from exchange import run_rows
from harness import case
from sessions import WIRES

ON = "compression = on\n"
LIMIT = ON + "max_message = %d\n" % ends.LIMIT

TABLES = (
    (frames.framing, ON), (frames.pings, ON), (frames.opcodes, ON), (frames.fragmentation, ON),
    (frames.masks, ON), (frames.lengths, ON), (texts.valid, ON), (texts.wrong, ON),
    (texts.fail_fast, ON), (texts.cut_short, ON), (texts.close_reasons, ON), (ends.codes, ON),
    (ends.around, ON), (ends.small_limit, LIMIT),
)


@case(timeout=120, rows=[("%s.%s" % (rows.__name__, wire), listen, rows, keys)
                         for wire, listen in WIRES for rows, keys in TABLES])
def not_compressed(t, listen, rows, keys):
    run_rows(t, listen, list(rows()), keys, DeflateClient)

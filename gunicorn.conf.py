"""What gunicorn reads by itself when it is started beside this file.

Its threads wait for a client that has begun a request and says no more, for ever; as many such
clients as there are threads, and nobody is served. So the kernel ends each wait. What is sent byte
by byte takes as long as it takes: a proxy that reads requests whole is for that.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

SILENCE: Final = 10  # seconds between two pieces of a request


def when_ready(server: Any) -> None:
    """A connection has the option of the listener that accepts it."""
    limit = struct.pack("@ll", SILENCE, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)

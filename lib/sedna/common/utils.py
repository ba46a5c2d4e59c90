"""Small helpers under upstream's name."""

from __future__ import annotations

import socket

__all__ = ["get_host_ip"]

_ELSEWHERE = ("192.0.2.1", 9)
"""An address of a documentation network (RFC 5737). Connecting a UDP socket to it sends nothing."""


def get_host_ip() -> str:
    """The IPv4 address under which other machines reach this one; the loopback's on a machine without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:  # no way leads out of this machine
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address

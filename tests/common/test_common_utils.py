import ipaddress
import socket

from sedna.common.utils import get_host_ip


def test_the_address_of_this_machine_is_one_that_it_can_bind():
    address = get_host_ip()
    assert isinstance(ipaddress.ip_address(address), ipaddress.IPv4Address)
    with socket.socket() as bound:
        bound.bind((address, 0))

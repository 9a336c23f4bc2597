"""Who gets which address."""

import socket
import sys

import pytest

from localmesh.errors import MeshError
from localmesh.runtime import addresses
from localmesh.runtime.addresses import Block


def test_two_meshes_have_two_blocks_and_a_block_comes_back() -> None:
    one, two = addresses.claim(), addresses.claim()
    assert one.number != two.number
    one.release()
    three = addresses.claim()
    assert three.number != two.number
    for block in (two, three):
        block.release()


def test_a_pod_keeps_its_address_and_shares_it_with_nobody() -> None:
    block = Block(16, socket.socket())
    first = block.take("mesh/user-0")
    pods = {f"mesh/user-{at}": block.take(f"mesh/user-{at}") for at in range(1000)}
    assert block.take("mesh/user-0") == first == addresses.PodAddress("127.16.1.1", "127.16.129.1")
    everything = {address for each in pods.values() for address in (each.pod, each.app)}
    assert len(everything) == 2000
    for address in everything:
        assert socket.inet_aton(address)
    block.release()


def test_pods_that_do_not_fit_take_no_address() -> None:
    block = Block(16, socket.socket())
    with pytest.raises(MeshError, match="fewer pods"):
        block.take_all(f"mesh/user-{at}" for at in range(30_001))
    assert block.take("mesh/user-0") == addresses.PodAddress("127.16.1.1", "127.16.129.1")
    block.release()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127.0.0.0/8")
def test_a_pods_addresses_can_be_listened_on() -> None:
    block = addresses.claim()
    taken = block.take("mesh/user-0")
    for address in (taken.pod, taken.app):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, addresses.FIRST_DIAL_PORT))
    block.release()


def test_a_machine_with_one_loopback_address_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(*_: object) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr("socket.socket.bind", bind, raising=False)
    with pytest.raises(MeshError, match=r"does not answer on 127\.16\.0\.1: Cannot assign"):
        addresses.claim()


def test_an_address_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.15.200.1", 18080))
        addresses.require_free("127.15.200.1:18081")
        listener.listen()
        with pytest.raises(MeshError, match=r"127.15.200.1:18080 cannot be opened: Address already in use"):
            addresses.require_free("127.15.200.1:18080")
    addresses.require_free("127.15.200.1:18080")


@pytest.mark.parametrize("text", ["8080", ":8080", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:http"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(MeshError, match="is not an address and a port"):
        addresses.split(text)

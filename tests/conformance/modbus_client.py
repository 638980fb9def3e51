"""Clients of a Modbus TCP server for the tests: pymodbus, and a connection for what it refuses to
send. A server is anything with a `port` on this machine."""

import contextlib
import socket
import struct

from pymodbus.client import ModbusTcpClient


@contextlib.contextmanager
def peer(server, **options):
    client = ModbusTcpClient("127.0.0.1", port=server.port, timeout=5, retries=0, **options)
    assert client.connect()
    try:
        yield client
    finally:
        client.close()


class Raw:
    """A TCP connection for what pymodbus refuses to send."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)

    def send(self, text):
        self.socket.sendall(bytes.fromhex(text) if isinstance(text, str) else text)

    def receive(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            assert more, f"closed after {data.hex(' ')}"
            data += more
        return data.hex(" ")

    def ask(self, pdu, transaction=1):
        """The PDU of the answer."""
        pdu = bytes.fromhex(pdu)
        self.send(struct.pack(">HHHB", transaction, 0, 1 + len(pdu), 1) + pdu)
        header = bytes.fromhex(self.receive(7))
        assert header[:4] == struct.pack(">HH", transaction, 0)
        assert header[6] == 1
        return self.receive((header[4] << 8 | header[5]) - 1)

    def is_dropped(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def raw(server):
    client = Raw(server)
    try:
        yield client
    finally:
        client.close()


def good(answer):
    assert not answer.isError(), answer
    return answer


def closed(client):
    client.socket.setblocking(False)
    try:
        return client.socket.recv(1) == b""
    except BlockingIOError:
        return False

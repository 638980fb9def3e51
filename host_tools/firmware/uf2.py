"""UF2 images: wrapping a flash binary, and telling whether a file is one for a given chip."""

from __future__ import annotations

import struct
from pathlib import Path

from host_tools.firmware.recipe import FirmwareError

# UF2 specification, "File Format".
_BLOCK_BYTES = 512
_PAYLOAD_BYTES = 256
_MAGIC_0 = 0x0A324655
_MAGIC_1 = 0x9E5D5157
_MAGIC_END = 0x0AB16F30
_FLAG_FAMILY = 0x2000


def wrap(binary: bytes, base: int, family: int) -> bytes:
    """A UF2 image that writes `binary` from address `base` on, for chips of `family`."""
    count = -(-len(binary) // _PAYLOAD_BYTES)
    blocks = []
    for number in range(count):
        at = number * _PAYLOAD_BYTES
        payload = binary[at : at + _PAYLOAD_BYTES].ljust(_PAYLOAD_BYTES, b"\0")
        head = struct.pack(
            "<8I",
            _MAGIC_0,
            _MAGIC_1,
            _FLAG_FAMILY,
            base + at,
            _PAYLOAD_BYTES,
            number,
            count,
            family,
        )
        data = payload.ljust(_BLOCK_BYTES - len(head) - 4, b"\0")
        blocks.append(head + data + struct.pack("<I", _MAGIC_END))
    return b"".join(blocks)


def check(path: Path, family: int, title: str) -> None:
    """Raise `FirmwareError` unless every block of the file is UF2 for chips of `family`."""
    try:
        image = path.read_bytes()
    except OSError as error:
        raise FirmwareError(f"cannot read the image {path}: {error.strerror}") from error
    if not image or len(image) % _BLOCK_BYTES:
        raise FirmwareError(
            f"{path} is not a whole UF2 image: {len(image)} bytes is not a multiple of "
            f"{_BLOCK_BYTES}. Get the .uf2 file for the {title} again."
        )
    for at in range(0, len(image), _BLOCK_BYTES):
        block = image[at : at + _BLOCK_BYTES]
        magic_0, magic_1, flags, _target, _size, _number, _count, of = struct.unpack_from(
            "<8I", block
        )
        (end,) = struct.unpack_from("<I", block, _BLOCK_BYTES - 4)
        if (magic_0, magic_1, end) != (_MAGIC_0, _MAGIC_1, _MAGIC_END):
            raise FirmwareError(
                f"{path} is not a UF2 image (block {at // _BLOCK_BYTES} has no magic numbers). "
                f"Get the .uf2 file for the {title} again."
            )
        if flags & _FLAG_FAMILY and of != family:
            raise FirmwareError(
                f"{path} is a UF2 image for another chip (family 0x{of:08X}, "
                f"the {title} needs 0x{family:08X})."
            )

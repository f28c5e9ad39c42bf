"""Bytes in rows of pixels above a picture, and back: any collector of 8-bit pictures keeps them.

One byte per channel: v is written as (v + 1/4) / 255, so that 8-bit pictures hold v whether a
collector rounds or cuts off. The bytes begin with a mark and their own checksum, so no ordinary
picture is taken for one with a slate. Grey pictures, which a collector may turn into RGB, carry one
byte per pixel; all others use the first three channels.
"""

import struct
import zlib

import torch

MARK = b"1Prompt1"
# Mark, rows of the slate, length of the message, CRC-32 of rows, length and message.
HEADER = struct.Struct(">8sIII")
MAX_BYTES = 1 << 22


def rows_for(length: int, width: int, channels: int) -> int:
    """Rows of pixels, of a picture `width` wide, that hold a message of `length` bytes."""
    return -(-(HEADER.size + length) // (width * _used(channels)))


def write(picture: torch.Tensor, message: bytes, rows: int) -> torch.Tensor:
    """A picture float [H, W, C] with the message in `rows` rows above it: [rows + H, W, C].

    Raises ValueError where the rows do not suffice.
    """
    _, width, channels = picture.shape
    used = _used(channels)
    if rows < rows_for(len(message), width, channels):
        raise ValueError(f"{rows} rows of {width} pixels cannot hold {len(message)} bytes")
    data = HEADER.pack(MARK, rows, len(message), _checksum(rows, message)) + message
    values = torch.frombuffer(bytearray(data.ljust(rows * width * used, b"\0")), dtype=torch.uint8)
    slate = torch.ones(rows, width, channels, dtype=torch.float32)
    slate[..., :used] = ((values.float() + 0.25) / 255).clamp(max=1).view(rows, width, used)
    return torch.cat([slate.to(picture), picture])


def read(picture: torch.Tensor) -> tuple[bytes, int] | None:
    """Message and rows of the slate of a picture [rows + H, W, C].

    None where it has none, or one that was changed on the way.
    """
    height, width, channels = picture.shape
    for used in sorted({_used(channels), 1}, reverse=True):
        header = _bytes(picture, HEADER.size, used)
        if len(header) < HEADER.size:
            continue
        mark, rows, length, checksum = HEADER.unpack(header)
        if mark != MARK or not 0 < rows <= height or length > min(MAX_BYTES, rows * width * used):
            continue
        message = _bytes(picture, HEADER.size + length, used)[HEADER.size :]
        if len(message) == length and _checksum(rows, message) == checksum:
            return message, rows
    return None


def _used(channels: int) -> int:
    return 3 if channels >= 3 else 1


def _bytes(picture: torch.Tensor, count: int, used: int) -> bytes:
    """The first `count` bytes, or as many as there are, of the first `used` channels."""
    rows = -(-count // (picture.shape[1] * used))
    values = picture[:rows, :, :used].detach().float().cpu().nan_to_num().clamp(0, 1)
    return values.mul(255).round().byte().numpy().tobytes()[:count]


def _checksum(rows: int, message: bytes) -> int:
    return zlib.crc32(struct.pack(">II", rows, len(message)) + message)

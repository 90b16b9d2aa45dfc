"""Is a PNG or a JPEG whole? Their own marks tell, before a decoder fills in what is missing."""

import struct
import zlib

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
JPEG_START = b"\xff\xd8"
JPEG_END = b"\xff\xd9"
JPEG_SCAN = 0xDA


def plain_png(data: bytes) -> bytes:
    """The chunks of a PNG that hold pixels; raises unless they are all there and undamaged.

    libpng would write its complaints to stderr, about colour profiles as about damage.

    Raises:
        ValueError or struct.error: it is damaged.
    """
    chunks = [PNG_START]
    at = len(PNG_START)
    kind = b""
    while kind != b"IEND":
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        kind = data[at + 4 : at + 8]
        if kind in PNG_CHUNKS:
            (checksum,) = struct.unpack_from(">I", data, end)
            if zlib.crc32(data[at + 4 : end]) != checksum:
                raise ValueError("damaged")
            chunks.append(data[at : end + 4])
        at = end + 4
    return b"".join(chunks)


def check_jpeg(data: bytes) -> None:
    """Raise unless an end marker follows the first scan.

    Raises:
        ValueError, IndexError or struct.error: it is damaged.
    """
    at = len(JPEG_START)
    while data[at + 1] != JPEG_SCAN:
        if data[at] != 0xFF:
            raise ValueError("damaged")
        if data[at + 1] == 0xFF:  # a fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length
    data.rindex(JPEG_END, at)  # from the end, where it is

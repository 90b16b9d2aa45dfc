"""Is a PNG, JPEG or BMP whole? Their own marks tell, before a decoder fills in what is missing."""

import re
import struct
import zlib

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
BMP_START = b"BM"
BMP_RUNS = (1, 2)  # kinds of compression: of 8 and of 4 bits
JPEG_START = b"\xff\xd8"
JPEG_END = b"\xff\xd9"
JPEG_SCAN, JPEG_TABLES = 0xDA, 0xC4
JPEG_HUFFMAN = (0xC0, 0xC1, 0xC2)  # of the frames, and those of other codes
JPEG_FRAMES = (*JPEG_HUFFMAN, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
ZEROS = bytes(64)  # 24 are a block of the usual codes
BITS = bytes(256)  # of a refinement: up to 1000 bare bits belong to a code


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
    """Raise unless an end marker follows the first scan, and no scan holds zeros never written.

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
    if data.find(ZEROS, at) >= 0:
        _refuse_zeros(data)


def _refuse_zeros(data: bytes) -> None:
    """Raise where the zeros of a scan would be a coefficient of -1 again and again.

    A code of zero bits is the shortest of a table. Where that ends a block, as it may where codes
    were chosen for the picture, zeros are a flat region. Where it is a coefficient, they are blocks
    full of it, which no picture has. What refines a scan is partly bare bits, which may be zero.
    """
    shortest: dict[int, int] = {}  # by class and number of the table
    at, known = len(JPEG_START), False
    while data[at + 1] != JPEG_END[1]:
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in JPEG_FRAMES:
            known = marker in JPEG_HUFFMAN
        elif marker == JPEG_TABLES:
            while segment:
                shortest[segment[0]] = segment[17]
                segment = segment[17 + sum(segment[1:17]) :]
        elif marker == JPEG_SCAN:
            found = SCAN_END.search(data, at)
            end = found.start() if found else len(data)
            zeros = _impossible(segment, shortest) if known else None
            if zeros and data.find(zeros, at, end) >= 0:
                raise ValueError("damaged")
            at = end


def _impossible(scan: bytes, shortest: dict[int, int]) -> bytes | None:
    """The zeros that a scan of this header cannot hold; None if it may hold any number."""
    count = scan[0]
    last, approximation = scan[2 + 2 * count :]
    codes = [shortest.get(0x10 | scan[2 + 2 * i] & 15, 0) for i in range(count)]
    if not last or not any(code & 15 for code in codes):
        return None
    return BITS if approximation >> 4 else ZEROS


def check_bmp(data: bytes) -> None:
    """Raise where the runs of a compressed BMP end before the picture does, or after.

    Raises:
        ValueError, IndexError or struct.error: it is damaged.
    """
    at, header, width, height = struct.unpack_from("<IIii", data, 10)
    kind = struct.unpack_from("<I", data, 30)[0] if header >= 40 else 0
    if kind not in BMP_RUNS:
        return
    x = y = 0
    while y < height and (y, x) != (height - 1, width):  # an end marker may be missing
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            x += count
        elif value == 0:
            x, y = 0, y + 1
        elif value == 1 and y == height - 1:
            return
        elif value == 1:
            raise ValueError("damaged")
        elif value == 2:
            x, y, at = x + data[at], y + data[at + 1], at + 2
        else:
            size = value if kind == BMP_RUNS[0] else (value + 1) // 2
            x, at = x + value, at + size + size % 2
        if x > width + 3:  # rows may be filled to four pixels
            raise ValueError("damaged")
    end = data[at : at + 4]
    if len(end) == 4 and not end.startswith((b"\0\1", b"\0\0\0\1")):
        raise ValueError("damaged")

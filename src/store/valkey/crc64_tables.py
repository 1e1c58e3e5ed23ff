"""Writes crc64_tables.h: CRC-64 as the servers compute it (Jones' polynomial, reflected, no complement), eight bytes a
step. STEPS[k][b] is what byte b does with k more bytes behind it.
"""

import sys

POLYNOMIAL = 0x95ac9329ac4bc9b5  # 0xad93d23594c935a9 with its bits turned around


def first():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
        yield byte


def main():
    tables = [list(first())]
    for _ in range(7):
        tables.append([tables[0][value & 0xff] ^ value >> 8 for value in tables[-1]])
    with open(sys.argv[1], "w", encoding="ascii") as header:
        header.write("static const uint64_t STEPS[8][256] = {\n")
        for table in tables:
            header.write("    {\n" + "".join(
                "        " + " ".join(f"0x{value:016x}," for value in table[at:at + 4]) + "\n" for at in range(0, 256, 4)) + "    },\n")
        header.write("};\n")


main()

"""Writes slot_tables.h: the steps of CRC16 for each byte, and for each hash slot the first text of three letters that
hashes to it.

The order of the letters, and so of the texts, names keys in live stores: tests/unit/store/test_slot.c holds a digest of
the whole table.
"""

import binascii
import itertools
import sys

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SLOTS = 16384


def tags():
    found = {}
    for letters in itertools.product(LETTERS, repeat=3):
        text = "".join(letters)
        found.setdefault(binascii.crc_hqx(text.encode(), 0) % SLOTS, text)
    return [found[slot] for slot in range(SLOTS)]


def rows(values, each):
    return "".join("    " + " ".join(f"{value}," for value in values[i:i + each]) + "\n" for i in range(0, len(values), each))


def main():
    steps = [f"0x{binascii.crc_hqx(bytes([byte]), 0):04x}" for byte in range(256)]
    with open(sys.argv[1], "w", encoding="ascii") as header:
        header.write(f"static const uint16_t STEPS[256] = {{\n{rows(steps, 12)}}};\n\n"
                     f"static const char TAGS[{SLOTS}][4] = {{\n" + rows([f'"{tag}"' for tag in tags()], 16) + "};\n")


main()

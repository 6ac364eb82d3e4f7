#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the type information out of a kernel image that is not compressed (arm64's Image), for a machine that does not run
it: vmlinux/carve.py IMAGE > FILE. The longest piece that begins with BTF's header (struct btf_header) is the kernel's own."""
import struct
import sys


def main():
    with open(sys.argv[1], "rb") as f:
        image = f.read()
    best, at = b"", image.find(b"\x9f\xeb\x01\x00\x18\x00\x00\x00")
    while at >= 0:
        type_off, type_len, str_off, str_len = struct.unpack_from("<IIII", image, at + 8)
        end = at + 24 + str_off + str_len
        if type_off == 0 and str_off == type_len and end <= len(image) and end - at > len(best):
            best = image[at:end]
        at = image.find(b"\x9f\xeb\x01\x00\x18\x00\x00\x00", at + 8)
    if not best:
        sys.exit(f"{sys.argv[1]}: no type information is in it; is it compressed?")
    sys.stdout.buffer.write(best)


main()

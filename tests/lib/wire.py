#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A packet capture at the end of a default route: prints one line for each packet that carries what an agent could
leak. ARP, neighbour discovery and what the kernel says by itself when a link comes up do not count.

usage: wire.py INTERFACE ; prints "ready", then lines "IP proto bytes" until its standard input is closed.
"""
import select
import socket
import struct
import sys


def describe(frame):
    kind = struct.unpack("!H", frame[12:14])[0]
    payload = frame[14:]
    if kind == 0x0800:
        return f"IPv4 proto={payload[9]} dst={socket.inet_ntoa(payload[16:20])} bytes={len(payload)}"
    if kind == 0x86dd:
        header = payload[6]
        if header == 58 and payload[40] in (133, 134, 135, 136):
            return None  # router and neighbour discovery
        if header == 0 and payload[40] == 58 and payload[48] == 143 and len(payload) <= 96:
            return None  # MLD report of the kernel for its own solicited-node groups
        return f"IPv6 next={header} dst={socket.inet_ntop(socket.AF_INET6, payload[24:40])} bytes={len(payload)}"
    if kind == 0x0806:
        return None
    return f"ethertype={kind:#06x} bytes={len(frame)}"


def main():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as s:
        s.bind((sys.argv[1], 0))
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([s, sys.stdin], [], [])
            if s in ready:
                line = describe(s.recv(65536))
                if line:
                    print(line, flush=True)
            elif sys.stdin in ready and not sys.stdin.readline():
                return


if __name__ == "__main__":
    main()

"""What systemd is to a service: the receiving end of NOTIFY_SOCKET, and a watchdog.

receiver.py ADDRESS [MICROSECONDS] binds a datagram socket (@name: an abstract one) and prints each
message as a line of JSON with the time it came at. With MICROSECONDS, and from READY=1 on, a line
with "silence" says that no WATCHDOG=1 came for so long; it is said once per silence."""

import json
import os
import socket
import sys
import time


def now():
    return time.monotonic_ns() // 1000


def say(**line):
    print(json.dumps(line), flush=True)


address = sys.argv[1]
patience = int(sys.argv[2]) if len(sys.argv) > 2 else None
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\0" + address[1:] if address.startswith("@") else address)
say(bound=address)
deadline = None
while True:
    wait = None if deadline is None else max(deadline - now(), 1)
    receiver.settimeout(wait and wait / 1e6)
    try:
        text = receiver.recv(65536).decode()
    except TimeoutError:
        say(silence=patience)
        deadline = None
        continue
    say(at=now(), text=text)
    lines = text.split("\n")
    if patience and (lines[0] == "WATCHDOG=1" or "READY=1" in lines):
        deadline = now() + patience
    if "STOPPING=1" in lines:
        patience = deadline = None

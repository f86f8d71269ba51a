"""freeze.py TID stops one thread and no other of its process, as if it hung, until standard input
ends. Prints "frozen" once it stands, or why it cannot be done."""

import ctypes
import os
import sys

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
thread = int(sys.argv[1])
for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
    if libc.ptrace(request, thread, None, None) == -1:
        print("refused:", os.strerror(ctypes.get_errno()), flush=True)
        sys.exit(1)
os.waitpid(thread, WALL)
print("frozen", flush=True)
sys.stdin.read()

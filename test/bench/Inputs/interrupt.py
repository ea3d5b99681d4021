# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command, arguments TEXT COMMAND…, and interrupts it as soon as it writes
TEXT to its standard error."""

import signal
import subprocess
import sys

# Who runs this may ignore the signal, and what it starts would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
with subprocess.Popen(sys.argv[2:], stderr=subprocess.PIPE, text=True) as child:
    for line in child.stderr:
        print(line, end="", file=sys.stderr)
        if sys.argv[1] in line:
            child.send_signal(signal.SIGINT)
sys.exit(child.returncode)

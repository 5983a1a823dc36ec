"""Python imports this at its start, from PYTHONPATH: `time.time` of the operator's process is what a test says.

The file that FAULTS_CLOCK names holds the seconds to add, as one float of eight bytes; monotonic clocks stay right, as
they do when a machine's clock is set.
"""

import mmap
import os
import struct
import time

if "FAULTS_CLOCK" in os.environ:
    with open(os.environ["FAULTS_CLOCK"], "r+b") as file:
        shift = mmap.mmap(file.fileno(), 8)
    real_time = time.time
    time.time = lambda: real_time() + struct.unpack_from("d", shift)[0]

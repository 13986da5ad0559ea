"""The real service with decoders in which some files trigger a fault (tests/faulty_decoder.py).

python -m tests.trials.faulty_service --host 127.0.0.1 --port 3000
"""

import argparse
from dataclasses import replace

from bentos import cli
from bentos.decoding.decoders import Decoders
from bentos.process.sockets import GATEWAY
from service import Gateway
from tests import faulty_decoder

__all__ = ["Gateway"]

Decoders.__init__.__kwdefaults__["work"] = faulty_decoder.work_with_fault_files

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    flags = parser.parse_args()
    cli.serve(replace(GATEWAY, entry="tests.trials.faulty_service:Gateway"), flags.host, flags.port)

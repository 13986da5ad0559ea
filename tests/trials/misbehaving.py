"""The real service, but for decoders that do what some files say (tests/misdeeds.py).

python -m tests.trials.misbehaving --host 127.0.0.1 --port 3000
"""

import argparse
from dataclasses import replace

from bentos import cli
from bentos.decoding.decoders import Decoders
from bentos.process.sockets import GATEWAY
from service import Gateway
from tests import misdeeds

__all__ = ["Gateway"]

Decoders.__init__.__kwdefaults__["work"] = misdeeds.work_as_told

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    flags = parser.parse_args()
    cli.serve(replace(GATEWAY, entry="tests.trials.misbehaving:Gateway"), flags.host, flags.port)

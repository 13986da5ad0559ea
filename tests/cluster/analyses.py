"""An image sent to the service from inside the cluster."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from chestxray.labels import FINDINGS
from tests.cluster.cluster import Cluster
from tests.conftest import ROOT

EXAMPLE = ROOT / "web" / "examples" / "clear.jpg"
ANALYSE = """
import base64, json, requests, sys
image = base64.b64decode(sys.stdin.read())
answer = requests.post("http://gateway/v1/analyses", files={"image": image}, timeout=60)
print(json.dumps({"status": answer.status_code, "body": answer.json()}))
"""


def analyse(cluster: Cluster, image: Path = EXAMPLE) -> Any:
    """The status and the body of the response."""
    return json.loads(cluster.in_client(ANALYSE, text=b64encode(image.read_bytes()).decode()))


def check_reading(answer: Any) -> None:
    """Asserts that it is a reading."""
    assert answer["status"] == 200, answer["body"]
    assert set(answer["body"]["prediction"]["probabilities"]) == set(FINDINGS)

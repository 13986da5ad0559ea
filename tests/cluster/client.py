"""Posts an image repeatedly from a pod inside the cluster, until its input ends.

python client.py THREADS RETRIES PAUSE_SECONDS

Prints how many requests ended with which status, 0 where the connection broke for good,
as JSON.
"""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import requests

URL = "http://gateway/v1/analyses"
IMAGE = Path("web/examples/clear.jpg")


def main(threads: int, retries: int, pause: float) -> None:
    """Prints the statuses once standard input is closed."""
    stop, statuses, slowest = threading.Event(), Counter[int](), [0.0]
    image = IMAGE.read_bytes()

    def work() -> None:
        session = requests.Session()
        while not stop.is_set():
            started = time.monotonic()
            statuses[post(session, image, retries)] += 1
            slowest[0] = max(slowest[0], time.monotonic() - started)
            stop.wait(pause)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    sys.stdin.read()
    stop.set()
    for worker in workers:
        worker.join()
    print(json.dumps({"statuses": statuses, "slowest": slowest[0]}))


def post(session: requests.Session, image: bytes, retries: int) -> int:
    """Posts an image with retries, and returns the response's status."""
    for _ in range(retries + 1):
        try:
            return session.post(URL, files={"image": image}, timeout=70).status_code
        except requests.RequestException:
            continue
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))

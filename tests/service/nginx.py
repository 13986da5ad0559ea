"""A running nginx that serves the service under a path prefix, which it strips."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from loadtests.load_generator import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 64m; client_body_buffer_size 8m;  # its worker may not write here
    location /xray/ {{
      proxy_pass {url}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Prefix /xray;
    }}
  }}
}}
"""


@contextmanager
def run_nginx_with_prefix(url: str, folder: Path) -> Iterator[str]:
    """Runs nginx and yields its address, where the service is below /xray/."""
    if not NGINX:
        pytest.skip("nginx is absent: `apt-get install nginx`")
    port, configuration = free_port(), folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, url=url))
    process = subprocess.Popen([NGINX, "-c", configuration, "-e", folder / "error.log"])
    try:
        own = f"http://127.0.0.1:{port}"
        _wait_until_open(own)
        yield own
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_open(url: str) -> None:
    stop = time.monotonic() + 10
    while True:
        try:
            httpx.get(url)
            return
        except httpx.ConnectError:
            if time.monotonic() > stop:
                raise
            time.sleep(0.05)

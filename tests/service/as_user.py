"""python -m tests.service.as_user UID MODULE [argument ...]: runs a module as a platform would.

OpenShift gives each namespace a user of its own: no name, no home folder, the group 0. Here it may
read everything, since Python may lie in root's home, but write only what is open to it.
"""

import os
import sys

if __name__ == "__main__":
    user, *module = sys.argv[1:]
    command = ["setpriv", "--reuid", user, "--regid", "0", "--clear-groups", "--no-new-privs"]
    command += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    kept = {key: value for key, value in os.environ.items() if key not in ("USER", "LOGNAME")}
    os.execvpe(command[0], [*command, sys.executable, "-m", *module], kept | {"HOME": "/"})

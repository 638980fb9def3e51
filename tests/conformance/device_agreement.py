"""Runs staged programs one after another through the real controller, on whatever Python this is.

    python device_agreement.py JOBS        (with the controller on the import path)

JOBS has the options of controller/console.py on each line; "name" is told before each run.
"""

import gc
import sys

from controller import console
from controller.session import tell


def main(path):
    import json

    with open(path) as f:
        for line in f:
            options = json.loads(line)
            tell({"is": "job", "name": options["name"]})
            try:
                console.main(options)
            except Exception as error:
                tell({"is": "error", "text": repr(error)})
            gc.collect()


if __name__ == "__main__":
    main(sys.argv[1])

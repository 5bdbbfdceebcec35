"""`python -m tidemill_server`: see `settings` for the environment, `exits` for the exit codes."""

import os
import sys

from tidemill_server.main import main

code = main(os.environ)
sys.stderr.flush()
# Not sys.exit: it would wait for a thread that still loads a model.
os._exit(code)

"""The whole program: every group of commands under one root."""

from tidemill.cli.commands import root
from tidemill.cli.model_commands import model
from tidemill.cli.run_commands import run

root.add_command(run)
root.add_command(model)

__all__ = ["root"]

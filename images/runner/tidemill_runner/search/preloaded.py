"""What the processes of a search need, imported once by the one that they are forked from."""

from tidemill_runner import catalogue
from tidemill_runner.search import workers

__all__ = ["workers"]

# All of scikit-learn: looking a class up would import it in each process.
catalogue.estimators()

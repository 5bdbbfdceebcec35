"""Sums of floats that are the same each time, whoever of the threads is done first.

k-means adds what each of its threads has found to the common sums when that thread is done, and
sums of floats depend on their order. Those of two numbers do not: with two threads, the same rows
give the same centres, bit by bit. All else that fits here keeps an order of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer
from threadpoolctl import threadpool_limits

THREADS = 2
# The last has k-means in it, with `strategy: kmeans`.
_BY_K_MEANS = (KMeans, MiniBatchKMeans, BisectingKMeans, KBinsDiscretizer)


@contextmanager
def in_order(pipeline: Pipeline) -> Iterator[None]:
    """Hold what is fitted to so many threads that the same comes of it twice."""
    parts = pipeline.get_params(deep=True).values()
    if any(isinstance(part, _BY_K_MEANS) for part in parts):
        with threadpool_limits(THREADS, user_api="openmp"):
            yield
    else:
        yield

"""How a listing is cut: whole, in its order, evenly, and the same for all who cut it."""

from hypothesis import given
from hypothesis import strategies as some

from tidemill.store.objects import ObjectInfo
from tidemill_runner import parts

SIZES = some.lists(some.integers(0, 10**12), min_size=1, max_size=300)
WORKERS = some.integers(2, 64)


def listing(sizes: list[int]) -> list[ObjectInfo]:
    return [ObjectInfo(f"{number:06d}", size, "e") for number, size in enumerate(sizes)]


@given(SIZES, WORKERS)
def test_every_object_is_in_one_part_in_the_order_of_the_listing(
    sizes: list[int], workers: int
) -> None:
    found = listing(sizes)
    made = parts.cut(found, workers)
    assert [info for part in made for info in part.objects] == found
    assert [part.number for part in made] == list(range(len(made)))
    assert all(part.objects for part in made)
    assert len(made) <= workers * parts.PER_WORKER


@given(SIZES, WORKERS)
def test_no_part_is_larger_than_its_share_and_one_object_more(
    sizes: list[int], workers: int
) -> None:
    found = listing(sizes)
    wanted = min(len(found), workers * parts.PER_WORKER)
    for part in parts.cut(found, workers):
        most = max(info.size for info in part.objects) + 1
        assert part.size <= sum(size + 1 for size in sizes) / wanted + most


@given(SIZES, WORKERS)
def test_every_part_is_some_workers_and_the_first_ones_begin_the_listing(
    sizes: list[int], workers: int
) -> None:
    made = parts.cut(listing(sizes), workers)
    shares = [parts.share(made, worker, workers) for worker in range(workers)]
    assert [part for share in shares for part in share] == list(made)
    assert shares[0][0].number == 0


@given(some.integers(1, 300), WORKERS)
def test_objects_of_one_size_are_shared_evenly(count: int, workers: int) -> None:
    made = parts.cut(listing([1000] * count), workers)
    sizes = [len(part.objects) for part in made]
    assert max(sizes) - min(sizes) <= 1

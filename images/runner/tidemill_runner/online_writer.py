"""Writes into an online store that a newer Job may fence off, in batches that are whole.

Each batch is one script, which the store runs as one step: it writes only while `meta` says that
nobody with a greater sequence has begun, and that nothing was lost since our own beginning.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from tidemill.store import online
from tidemill.store.online import Meta, Shape, Table
from tidemill.store.online_client import OnlineClient

BATCH_NAMES = 1000
BATCH_BYTES = 1024 * 1024
_SEQUENCE = """
local function sequence()
  local text = redis.call('GET', KEYS[1])
  if not text then return nil end
  local read, meta = pcall(cjson.decode, text)
  if read and type(meta) == 'table' and type(meta.sequence) == 'number' then
    return meta.sequence
  end
  return nil
end
local mine, found = tonumber(ARGV[1]), sequence()
if found and found > mine then return -1 end
"""
_CLAIM = f"""{_SEQUENCE}
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[3] then return -3 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
_MARK = f"""{_SEQUENCE}
if found ~= mine then return -2 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
_WRITE = f"""{_SEQUENCE}
if found ~= mine then return -2 end
local removed = 0
for place = 2, #KEYS do
  local text, till = ARGV[2 * place - 2], ARGV[2 * place - 1]
  if text == '' then
    removed = removed + redis.call('DEL', KEYS[place])
  else
    redis.call('SET', KEYS[place], text)
    if till ~= '' then redis.call('PEXPIREAT', KEYS[place], till) end
  end
end
return removed
"""


class _Answer(IntEnum):
    OVERTAKEN = -1
    LOST = -2
    CHANGED = -3


class Overtaken(Exception):  # noqa: N818 - says what became of it
    """A Job of a newer version writes: ours is of no use any more."""


class Lost(Exception):  # noqa: N818 - as above
    """What we had begun is not there any more: the store was emptied meanwhile."""


@dataclass(frozen=True)
class Change:
    """A name, its new text or none where it is to go, and till when it stays."""

    name: str
    text: str = ""
    till: int | None = None

    @property
    def size(self) -> int:
        return len(self.name) + len(self.text)


@dataclass
class OnlineWriter:
    """Writes to one table as the Job of one sequence."""

    client: OnlineClient
    table: Table
    sequence: int

    async def claim(self, shape: Shape) -> Meta:
        """Keep Jobs of smaller sequences from writing; gives what is there. Raises Overtaken."""
        while True:
            text = (await self.client.call("GET", self.table.meta) or b"").decode(
                "utf-8", "replace"
            )
            meta = replace(_meta(text) or Meta(shape, 0), sequence=self.sequence)
            answer = await self._run(_CLAIM, [self.table.meta], [online.encode_meta(meta), text])
            if answer != _Answer.CHANGED:
                return meta

    async def mark(self, meta: Meta) -> None:
        """Say what is there, or under way; raises Overtaken or Lost."""
        await self._run(_MARK, [self.table.meta], [online.encode_meta(meta)])

    async def write(self, changes: Sequence[Change]) -> int:
        """Make the changes in one step; gives how many names were removed."""
        names, texts = [self.table.meta], []
        for change in changes:
            names.append(change.name)
            texts += [change.text, "" if change.till is None else str(change.till)]
        return await self._run(_WRITE, names, texts)

    async def names(self) -> AsyncIterator[list[str]]:
        """All names of rows, some of them maybe twice."""
        cursor = 0
        while True:
            cursor, found = await self.client.call(
                "SCAN", cursor, "MATCH", f"{self.table.rows}*", "COUNT", BATCH_NAMES
            )
            yield [name.decode("utf-8", "replace") for name in found]
            cursor = int(cursor)
            if cursor == 0:
                return

    async def _run(self, script: str, names: Sequence[str], values: Sequence[str]) -> int:
        answer = await self.client.call(
            "EVAL", script, len(names), *names, str(self.sequence), *values
        )
        if answer == _Answer.OVERTAKEN:
            raise Overtaken
        if answer == _Answer.LOST:
            raise Lost
        return int(answer)


def _meta(text: str) -> Meta | None:
    try:
        return online.decode_meta(text)
    except ValueError:
        return None

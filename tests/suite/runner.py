"""Runs stages as early as their conditions allow, as many at once as the machine has cores."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from .stages import ROOT, Stage

Say = Callable[[str], None]
TICK_SECONDS = 30.0


@dataclass(frozen=True)
class Outcome:
    """How a stage ended; `ran` is False where something that it needs had failed."""

    stage: Stage
    ran: bool
    succeeded: bool
    seconds: float


class Runner:
    """Runs the stages of one list, which are in an order that could be run one by one."""

    def __init__(
        self,
        stages: Sequence[Stage],
        say: Say,
        *,
        on_failure: Callable[[Stage], None],
        parallel: int | None = None,
    ) -> None:
        self._stages = stages
        self._names = {stage.name for stage in stages}
        self._say = say
        self._on_failure = on_failure
        self._parallel = parallel or os.cpu_count() or 1
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ending = threading.Event()

    def run(self) -> list[Outcome]:
        outcomes: dict[str, Outcome] = {}
        running: dict[Future[Outcome], Stage] = {}
        with ThreadPoolExecutor(self._parallel) as pool:
            try:
                while len(outcomes) < len(self._stages):
                    self._begin(pool, outcomes, running)
                    done, _ = wait(running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        outcomes[running.pop(future).name] = future.result()
                    if not done:
                        self._say(f"running: {', '.join(one.name for one in running.values())}")
            except BaseException:
                self._end()
                raise
        return [outcomes[stage.name] for stage in self._stages]

    def _begin(
        self,
        pool: ThreadPoolExecutor,
        outcomes: dict[str, Outcome],
        running: dict[Future[Outcome], Stage],
    ) -> None:
        under_way = {stage.name for stage in running.values()}
        for stage in self._stages:
            if stage.name in outcomes or stage.name in under_way:
                continue
            if self._is_hopeless(stage, outcomes):
                outcomes[stage.name] = Outcome(stage, ran=False, succeeded=False, seconds=0.0)
                self._say(f"{stage.name}: not run, because something that it needs failed")
            elif self._may_begin(stage, outcomes) and len(running) < self._parallel:
                running[pool.submit(self._execute, stage)] = stage

    def _is_hopeless(self, stage: Stage, outcomes: Mapping[str, Outcome]) -> bool:
        return any(name in outcomes and not outcomes[name].succeeded for name in stage.needs)

    def _may_begin(self, stage: Stage, outcomes: Mapping[str, Outcome]) -> bool:
        return all(name in outcomes for name in {*stage.needs, *stage.waits} & self._names)

    def _execute(self, stage: Stage) -> Outcome:
        self._say(f"{stage.name}: started (about {stage.about} s where nothing is cached)")
        began = time.monotonic()
        stage.log.parent.mkdir(parents=True, exist_ok=True)
        stage.report.unlink(missing_ok=True)
        with stage.log.open("wb") as log:
            succeeded = self._call(stage.command, log.fileno()) == 0
        seconds = time.monotonic() - began
        self._say(f"{stage.name}: {'ok' if succeeded else 'FAILED'} after {seconds:.0f} s")
        if not succeeded:
            self._say(tail(stage.log))
            self._on_failure(stage)
        return Outcome(stage, ran=True, succeeded=succeeded, seconds=seconds)

    def _call(self, command: Sequence[str], log: int) -> int:
        if self._ending.is_set():
            return 1
        process = subprocess.Popen(
            list(command), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        self._processes.append(process)
        return process.wait()

    def _end(self) -> None:
        """Ends what was started; an interrupted run must not leave work going on."""
        self._ending.set()
        for process in self._processes:
            if process.poll() is None:
                process.terminate()


def tail(log: Path, lines: int = 40) -> str:
    text = log.read_text(errors="replace").splitlines()
    return "\n".join(
        ["", *(f"    {line}" for line in text[-lines:]), f"    (all of it: {log})", ""]
    )

"""bench.cpu and bench.memory against real processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench import cpu, memory

BURNS = """
import subprocess, sys, threading, time
def burn():
    end = time.thread_time() + 0.1
    while time.thread_time() < end: pass
if sys.argv[1] == "child":
    burn()
else:
    thread = threading.Thread(target=burn); thread.start(); thread.join()
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2], "child"], stdin=subprocess.PIPE)
    block = b"x" * (64 << 20)
print(flush=True)
sys.stdin.readline()
"""


@contextmanager
def burning(*words: str) -> Iterator[int]:
    """A process that has used what it should, and still lives."""
    process = subprocess.Popen(
        [sys.executable, "-c", BURNS, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.communicate("\n")


def test_the_cpu_of_a_process_counts() -> None:
    with burning("child") as pid:
        assert cpu.seconds_between({}, cpu.spent([pid])) >= 0.1


def test_only_what_is_used_in_between_counts() -> None:
    with burning("child") as pid:
        once = cpu.spent([pid])
        assert cpu.seconds_between(once, once) == 0


def test_children_count_with_their_parent() -> None:
    with burning("parent", BURNS) as pid:
        assert len(cpu.spent([pid])) >= 2


def test_its_own_is_without_the_children() -> None:
    with burning("parent", BURNS) as pid:
        children = {thread: used for thread, used in cpu.spent([pid]).items() if thread != pid}
        assert children
        assert 0 < cpu.own(pid) <= cpu.seconds_between(children, cpu.spent([pid]))


def test_a_process_that_has_ended_counts_nothing() -> None:
    with burning("child") as pid:
        pass
    assert cpu.spent([pid]) == {}
    assert cpu.own(pid) == 0


def test_memory_is_told_in_mib() -> None:
    with burning("parent", BURNS) as pid:
        assert 64 < memory.resident(pid) < 200
        assert memory.peak(pid) >= memory.resident(pid)
        assert 0 < memory.proportional(pid) <= memory.resident(pid)


def test_a_peak_can_be_forgotten() -> None:
    held = b"x" * (64 << 20)
    del held
    before = memory.peak(os.getpid())
    memory.forget_peak(os.getpid())
    assert memory.peak(os.getpid()) <= before

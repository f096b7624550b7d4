# SPDX-License-Identifier: GPL-2.0-only
"""Runs balloonstat, and has servers that it can ask."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from common.project import BALLOONSTAT
from fakeqmp import Servers

# For a program that is compiled with sanitizers: what they find ends it, so that a test fails.
LEAKS = pathlib.Path(__file__).with_name('leaks.supp')
os.environ.setdefault('ASAN_OPTIONS', 'abort_on_error=1')
os.environ.setdefault('UBSAN_OPTIONS', 'abort_on_error=1')
os.environ.setdefault('LSAN_OPTIONS', f'suppressions={LEAKS}:print_suppressions=0')

TIMEOUT = int(os.environ.get("BALLOONSTAT_TIMEOUT", 60))


def pytest_sessionstart(session):
    if not BALLOONSTAT.exists():
        pytest.exit(f'no {BALLOONSTAT}: run make tools', 1)


@dataclasses.dataclass
class Ran:
    status: int
    out: str
    err: str
    seconds: float

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def objects(self):
        return [json.loads(line) for line in self.lines]

    def guest(self, name):
        """The last object about this guest."""
        return [o for o in self.objects if o['guest'] == name][-1]


@pytest.fixture
def run():
    """Run balloonstat to its end."""
    def call(*args, timeout=TIMEOUT, **kwargs):
        began = time.monotonic()
        ran = subprocess.run([BALLOONSTAT, *map(str, args)], stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=timeout, **kwargs)
        # It has crashed, or a sanitizer has ended it.
        assert ran.returncode not in (-signal.SIGSEGV, -signal.SIGABRT), ran.stderr
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode(),
                   time.monotonic() - began)
    return call


def hear_signals():
    """Have a child not ignore signals. A shell has its background jobs ignore SIGINT, and their
    children inherit that."""
    for sig in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM:
        signal.signal(sig, signal.SIG_DFL)


@pytest.fixture
def start():
    """Start balloonstat and leave it running."""
    running = []

    def call(*args, **kwargs):
        kwargs = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE,
                  'stderr': subprocess.PIPE, 'preexec_fn': hear_signals, **kwargs}
        process = subprocess.Popen([BALLOONSTAT, *map(str, args)], **kwargs)
        # A test that waits for a line in vain then sees the end of the file.
        timer = threading.Timer(3 * TIMEOUT, process.kill)
        timer.start()
        running.append((process, timer))
        return process
    yield call
    for process, timer in running:
        timer.cancel()
        process.kill()
        process.wait()
        for stream in process.stdout, process.stderr:
            if stream:
                stream.close()


@pytest.fixture
def servers():
    # The path has to be short, since that of a UNIX socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix='balloonstat-') as directory:
        s = Servers(pathlib.Path(directory))
        yield s
        s.close()


def wait_for(condition, what, timeout=TIMEOUT):
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f'no {what} within {timeout} s'
        time.sleep(0.02)
    return value

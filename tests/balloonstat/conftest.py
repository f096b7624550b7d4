# SPDX-License-Identifier: GPL-2.0-only
"""balloonstat, and servers for it to ask."""

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

from fakeqmp import Servers

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get('BALLOONSTAT',
                                      TOP / 'tools/balloonstat/build/balloonstat'))
TIMEOUT = 60


def pytest_sessionstart(session):
    if not PROGRAM.exists():
        pytest.exit(f'no {PROGRAM}: run make tools', 1)


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
        """The last object of this guest."""
        return [o for o in self.objects if o['guest'] == name][-1]


@pytest.fixture
def run():
    """Run balloonstat to its end."""
    def call(*args, timeout=TIMEOUT, **kwargs):
        began = time.monotonic()
        ran = subprocess.run([PROGRAM, *map(str, args)], stdin=subprocess.DEVNULL,
                             capture_output=True, timeout=timeout, **kwargs)
        # A sanitizer, or a crash: never.
        assert ran.returncode not in (-signal.SIGSEGV, -signal.SIGABRT), ran.stderr
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode(),
                   time.monotonic() - began)
    return call


def hear_signals():
    """What runs in the background of a shell has SIGINT ignored, and passes it on."""
    for sig in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM:
        signal.signal(sig, signal.SIG_DFL)


@pytest.fixture
def start():
    """Start balloonstat and leave it running."""
    running = []

    def call(*args, **kwargs):
        kwargs = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE,
                  'stderr': subprocess.PIPE, 'preexec_fn': hear_signals, **kwargs}
        process = subprocess.Popen([PROGRAM, *map(str, args)], **kwargs)
        # Who waits for a line that does not come gets the end of the file.
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
    # Short: the path of a UNIX socket has room for 107 characters.
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

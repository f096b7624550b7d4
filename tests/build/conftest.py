# SPDX-License-Identifier: GPL-2.0-only
"""Runs programs so that they cannot change this machine."""

import os
import subprocess

import pytest


def run(*command, **env):
    """Run a program. Return its exit code and its output."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          stderr=subprocess.STDOUT, text=True, errors='replace',
                          env={**os.environ, 'LC_ALL': 'C', **env})
    return done.returncode, done.stdout


def in_namespace(script, *args, **env):
    """Run a shell script as root in a mount namespace of its own."""
    user = [] if os.geteuid() == 0 else ['--map-root-user']
    return run('unshare', '--mount', *user, 'sh', '-euc', script, 'sh', *args, **env)


@pytest.fixture
def fakes(tmp_path):
    """Programs that come first on the PATH. Each is made by an assignment, name -> shell script,
    and each call is recorded."""
    directory = tmp_path / 'fakes'
    directory.mkdir()
    calls = directory / 'calls'
    calls.touch()

    class Fakes:
        path = f'{directory}:{os.environ["PATH"]}:/usr/sbin:/sbin'

        def __setitem__(self, name, script):
            program = directory / name
            program.write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\n{script}\n')
            program.chmod(0o755)

        def calls(self):
            return calls.read_text().splitlines()

    return Fakes()

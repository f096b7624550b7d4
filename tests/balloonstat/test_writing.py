# SPDX-License-Identifier: GPL-2.0-only
"""What is written reaches where it is meant to go, or balloonstat says that it does not."""

import os
import re
import resource
import stat
import subprocess

import pytest

from common.project import BALLOONSTAT
from conftest import TIMEOUT, wait_for
from fakeqmp import FakeGuest

FULL = '/dev/full'


def metrics(text):
    return text.startswith('# HELP balloonstat_') and '\nballoonstat_up{' in text


# --- the file for node_exporter ---------------------------------------------

@pytest.mark.parametrize('name', ['-', 'stdout'])
def test_prometheus_to_standard_output(servers, run, tmp_path, name):
    # As /dev/stdout, which a fault would remove from the machine.
    link = tmp_path / 'stdout'
    link.symlink_to('/proc/self/fd/1')
    ran = run('-q', servers.add(FakeGuest('vm')), '--prometheus', name, cwd=tmp_path)
    assert (ran.status, ran.err) == (0, '') and metrics(ran.out)
    assert list(tmp_path.iterdir()) == [link] and link.is_symlink()


def test_prometheus_through_a_link(servers, run, tmp_path):
    (tmp_path / 'there').mkdir()
    file, link = tmp_path / 'there' / 'real.prom', tmp_path / 'link.prom'
    link.symlink_to('there/real.prom')
    path = servers.add(FakeGuest('vm'))
    # The first time the link leads nowhere.
    for _ in range(2):
        assert run('-q', path, '--prometheus', link).status == 0
        assert link.is_symlink() and metrics(file.read_text())
        file.write_text('') if file.stat().st_size else None
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['link.prom', 'real.prom', 'there']


def test_prometheus_into_a_pipe(servers, start, tmp_path):
    """What is no regular file is written to, and not replaced."""
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        process = start('-q', servers.add(FakeGuest('vm')), '--prometheus', pipe)
        assert process.wait(TIMEOUT) == 0
        assert metrics(os.read(reader, 65536).decode())
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(os.lstat(pipe).st_mode)


def test_exporter_survives_a_full_disk(servers, start, tmp_path):
    """It says so once, and goes on writing when there is room again."""
    link = tmp_path / 'x.prom'
    link.symlink_to(FULL)
    process = start('-q', servers.add(FakeGuest('vm')), '--prometheus', link, '0.2')
    line = process.stderr.readline().decode()
    assert line == f'balloonstat: cannot write {link}: No space left on device\n'
    temporary = tmp_path / 'new'
    temporary.symlink_to('real.prom')
    temporary.rename(link)
    wait_for(lambda: (tmp_path / 'real.prom').exists() and
             metrics((tmp_path / 'real.prom').read_text()), 'file')
    process.terminate()
    assert process.stderr.read() == b''


# --- standard output --------------------------------------------------------

@pytest.mark.parametrize('view', [[], ['--json'], ['--check'], ['--doctor'],
                                  ['--prometheus', '-']])
def test_full_disk_is_said(servers, start, view):
    path = servers.add(FakeGuest('vm'))
    with open(FULL, 'w') as full:
        process = start('-q', path, *view, stdout=full)
        _, err = process.communicate(timeout=TIMEOUT)
    assert err == b'balloonstat: cannot write to standard output: No space left on device\n'
    assert process.returncode == (3 if '--check' in view else 1)


@pytest.mark.parametrize('closed', ['>&-', '>&- <&-', '>&- <&- 2>&-'])
@pytest.mark.parametrize('view', ['', '--json'])
def test_standard_output_is_closed(servers, view, closed):
    """What is meant for it must not go to QEMU."""
    lines = []

    class Records(FakeGuest):
        async def reply(self, message, writer):
            lines.append(message)
            await super().reply(message, writer)

    guest = Records('vm')
    ran = subprocess.run(f'exec "{BALLOONSTAT}" --hold -q "{servers.add(guest)}" {view} 0.2 3 '
                         f'{closed}', shell=True, stderr=subprocess.PIPE, timeout=TIMEOUT,
                         stdin=subprocess.DEVNULL)
    assert ran.returncode == 1
    assert lines and all('execute' in line for line in lines) and not guest.junk
    if '2>&-' not in closed:
        assert b'cannot write to standard output: Bad file descriptor' in ran.stderr


# --- file descriptors -------------------------------------------------------

def limited(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_descriptor_limit_is_raised(servers, run):
    for i in range(30):
        servers.add(FakeGuest(f'vm{i}', interval=0))
    ran = run('-q', servers.directory / '*.sock', '-j', preexec_fn=limited(16, 512))
    assert (ran.status, ran.err) == (0, '')
    assert [o['error'] for o in ran.objects] == [None] * 30


def test_descriptors_run_out(servers, start, tmp_path):
    """It says so, and goes on when there are some again."""
    paths = [servers.add(FakeGuest(f'vm{i}', interval=0)) for i in range(30)]
    file = tmp_path / 'x.prom'
    process = start('-q', servers.directory / '*.sock', '--hold', '--prometheus', file, '0.2',
                    preexec_fn=limited(16, 16))
    said = []
    wait_for(lambda: said.append(process.stderr.readline()) or
             (any(b'no file descriptor is left of the 16' in line for line in said) and
              any(b'cannot write' in line and b'Too many open files' in line for line in said)),
             'word of it')
    # Most guests end. There are descriptors enough for the others.
    for path in paths[:27]:
        path.unlink()
    servers.hang_up()

    def up():
        text = file.read_text() if file.exists() else ''
        return {f'vm{i}' for i in range(30) if re.search(rf'_up{{guest="vm{i}".*}} 1\n', text)}
    wait_for(lambda: up() == {'vm27', 'vm28', 'vm29'}, 'those that are left')
    assert process.poll() is None

# SPDX-License-Identifier: GPL-2.0-only
"""The polling interval is changed only when asked for, and is always restored."""

import json
import os
import signal

import pytest

from conftest import TIMEOUT, wait_for
from fakeqmp import FakeGuest, Hangs


@pytest.mark.parametrize('interval', [0, 3])
def test_not_touched_unless_asked(servers, run, interval):
    guest = FakeGuest('vm', interval=interval)
    ran = run('-q', servers.add(guest), '-j', '0.2', '3')
    assert ran.objects[0]['polling'] == interval
    assert ran.objects[0]['diagnosis']['why'] == ('one-report' if interval else 'polling-off')
    assert guest.intervals == [] and 'qom-set' not in guest.commands


@pytest.mark.parametrize('before, want', [(0, 1), (5, 1), (1, 2)])
def test_put_back_at_the_end(servers, run, before, want):
    guest = FakeGuest('vm', interval=before)
    ran = run('-q', servers.add(guest), '-p', want, '-j', '0.3', '2')
    assert ran.status == 0 and ran.objects[0]['polling'] == want
    assert guest.intervals == [want, before]


def test_what_is_right_already_is_left(servers, run):
    guest = FakeGuest('vm', interval=2)
    run('-q', servers.add(guest), '-p', '2', '-j', '0.3', '2')
    assert guest.intervals == []


def test_once(servers, run):
    """Without INTERVAL it waits for two reports, and then restores the polling interval."""
    guest = FakeGuest('vm', interval=0)
    ran = run('-q', servers.add(guest), '-p', '1', '-j')
    assert ran.objects[0]['diagnosis']['name'] == 'healthy'
    assert guest.intervals == [1, 0]


@pytest.mark.parametrize('sig', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_put_back_on_a_signal(servers, start, sig):
    guests = [FakeGuest(f'vm{i}', interval=i) for i in range(3)]
    for guest in guests:
        servers.add(guest)
    process = start('-q', servers.directory / '*.sock', '-p', '7', '-j', '0.2')
    process.stdout.readline()
    wait_for(lambda: all(guest.interval == 7 for guest in guests), 'polling')
    process.send_signal(sig)
    assert process.wait(TIMEOUT) == 128 + sig
    assert [guest.interval for guest in guests] == [0, 1, 2]


@pytest.mark.parametrize('when', ['qom-list', 'qom-set', 'query-balloon'])
def test_signal_in_the_middle(servers, start, when):
    """A signal while it waits for an answer leaves nothing changed."""
    guest = Hangs(when, name='vm', interval=3)
    process = start('-q', servers.add(guest), '-p', '7', '-j', '1')
    # By then the command has come, and its answer is held back.
    if when != 'qom-list':
        wait_for(lambda: 'qom-get' in guest.commands, 'conversation')
    else:
        wait_for(lambda: 'query-name' in guest.commands, 'conversation')
    process.send_signal(signal.SIGTERM)
    guest.hanging = False
    assert process.wait(TIMEOUT) == 128 + signal.SIGTERM
    assert guest.interval == 3


def test_put_back_when_the_reader_goes(servers, start):
    guest = FakeGuest('vm', interval=0)
    process = start('-q', servers.add(guest), '-p', '7', '-j', '0.1')
    process.stdout.readline()
    wait_for(lambda: guest.interval == 7, 'polling')
    process.stdout.close()
    process.stdout = None
    assert process.wait(TIMEOUT) == 0
    assert guest.interval == 0


def test_put_back_when_the_disk_is_full(servers, start):
    guest = FakeGuest('vm', interval=0)
    with open('/dev/full', 'w') as full:
        process = start('-q', servers.add(guest), '-p', '7', '-j', '0.1', stdout=full)
        assert process.wait(TIMEOUT) == 1
    assert guest.intervals == [7, 0]


@pytest.mark.parametrize('theirs', [0, 30])
def test_somebody_else_has_changed_it(servers, start, theirs):
    """What was asked for is asked for again. At the end, the interval is what somebody else set."""
    guest = FakeGuest('vm', interval=5)
    process = start('-q', servers.add(guest), '-p', '7', '-j', '0.2')
    wait_for(lambda: guest.interval == 7, 'polling')
    # The answer has been read, too.
    for _ in range(2):
        process.stdout.readline()
    guest.interval = theirs
    wait_for(lambda: guest.interval == 7, 'polling again')
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.wait(TIMEOUT)
    assert guest.intervals == [7, 7, theirs]


def end(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT) == 128 + signal.SIGTERM


@pytest.mark.parametrize('first, second, both', [(1, 1, 1), (2, 5, 2), (5, 2, 2)])
@pytest.mark.parametrize('leaves', [0, 1])
def test_two_that_poll(servers, start, first, second, both, leaves):
    """Only the last one that leaves restores the interval, and the shortest is in force."""
    guest = FakeGuest('vm', interval=0)
    path = servers.add(guest)
    outputs = [servers.directory / 'first', servers.directory / 'second']
    running = []

    def polls(output):
        return f'"polling":{both if output is outputs[1] else first},' in output.read_text()
    for output, interval in zip(outputs, (first, second)):
        with output.open('w') as to:
            running.append(start('-q', path, '-p', interval, '-j', '0.2', stdout=to))
        wait_for(lambda: polls(output), 'polling')
    end(running[leaves])
    asked = len(guest.commands)
    wait_for(lambda: len(guest.commands) > asked + 10, 'samples')
    assert guest.interval == both and running[1 - leaves].poll() is None
    end(running[1 - leaves])
    assert guest.interval == 0


def test_heals_what_was_killed(servers, start):
    """SIGKILL leaves the interval changed. The next one that polls restores what was before."""
    guest = FakeGuest('vm', interval=3)
    path = servers.add(guest)
    process = start('-q', path, '-p', '7', '-j', '0.2')
    wait_for(lambda: json.loads(process.stdout.readline()).get('polling') == 7, 'polling')
    process.kill()
    process.wait()
    assert guest.interval == 7
    process = start('-q', path, '-p', '7', '-j', '0.2')
    wait_for(lambda: json.loads(process.stdout.readline()).get('polling') == 7, 'polling')
    end(process)
    assert guest.interval == 3


def test_put_back_after_the_connection_was_lost(servers, start):
    """After a reconnection the interval is balloonstat's own. The first one is restored."""
    guest = FakeGuest('vm', interval=4)
    process = start('-q', servers.add(guest), '-p', '7', '-j', '0.2')
    wait_for(lambda: guest.interval == 7, 'polling')
    process.stdout.readline()
    servers.hang_up()
    process.stdout.readline()
    wait_for(lambda: json.loads(process.stdout.readline())['state'] == 'healthy', 'return')
    process.send_signal(signal.SIGINT)
    process.wait(TIMEOUT)
    assert guest.interval == 4


def test_hangs_at_the_end(servers, start):
    """A guest whose interval cannot be restored is named. The others are restored."""
    good = FakeGuest('good', interval=0)
    hung = Hangs(name='hung', hanging=False, interval=5)
    for guest in good, hung:
        servers.add(guest)
    process = start('-q', servers.directory / '*.sock', '-p', '7', '-j', '0.2')
    wait_for(lambda: good.interval == 7 and hung.interval == 7, 'polling')
    for _ in range(4):
        process.stdout.readline()
    hung.hanging = True
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=TIMEOUT)
    assert good.interval == 0
    assert ('balloonstat: hung: polling could not be put back from 7 to 5 s: set '
            'guest-stats-polling-interval of /machine/peripheral/balloon0 with qom-set'
            ) in err.decode()


def test_refused(servers, run):
    class Refuses(FakeGuest):
        def answer(self, command, arguments):
            if command == 'qom-set':
                raise KeyError('not now')
            return super().answer(command, arguments)
    guest = Refuses('vm', interval=5)
    ran = run('-q', servers.add(guest), '-p', '1', '-j', '0.3', '2')
    assert ran.status == 0 and ran.err == 'balloonstat: vm: QEMU refuses: not now\n'
    assert ran.objects[-1]['polling'] == 5


def test_nohup(servers, start):
    """If SIGHUP was ignored at the start, it stays ignored."""
    guest = FakeGuest('vm', interval=0)

    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = start('-q', servers.add(guest), '-p', '7', '-j', '0.2', preexec_fn=ignore)
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    for _ in range(5):
        assert process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(TIMEOUT) == 128 + signal.SIGTERM and guest.interval == 0


def test_checks_put_back_too(servers, run):
    guest = FakeGuest('vm', interval=0)
    assert run('-q', servers.add(guest), '-p', '1', '--check').status == 0
    assert guest.intervals == [1, 0]

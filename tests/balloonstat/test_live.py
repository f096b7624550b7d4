# SPDX-License-Identifier: GPL-2.0-only
"""The live view, as it looks in a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pyte
import pytest

from common.project import BALLOONSTAT
from conftest import TIMEOUT, hear_signals
from fakeqmp import MIB, FakeGuest, Says, short_of_memory

THRASHING = {'minor-faults': 5000, 'alloc-stalls': 300, 'direct-scans': 50 * MIB,
             'direct-reclaims': 5 * MIB}
RECLAIM = {**THRASHING, 'direct-reclaims': 45 * MIB}
BLOCKS = '▁▂▃▄▅▆▇█'


class Terminal:
    """balloonstat --live in a terminal of this kind and size.

    pyte knows all that a Linux console does, but not how xterm scrolls a part of the screen."""

    def __init__(self, *args, lines=24, columns=80, term='linux', locale='C.UTF-8'):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b''
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self._size(lines, columns)
        self.slave = slave
        self.process = subprocess.Popen(
            [BALLOONSTAT, '--live', *map(str, args)], stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True, preexec_fn=hear_signals,
            env={**os.environ, 'TERM': term, 'LC_ALL': locale})

    def _size(self, lines, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))

    def resize(self, lines, columns):
        self.screen.resize(lines, columns)
        self._size(lines, columns)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys):
        os.write(self.master, keys)

    def read(self, seconds=0.1):
        while select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self.stream.feed(data)

    def wait(self, condition, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while True:
            self.read()
            if condition(self.screen.display):
                return self.screen.display
            assert time.monotonic() < deadline, '\n'.join(self.screen.display)
            assert self.process.poll() is None, '\n'.join(self.screen.display)

    def end(self, timeout=TIMEOUT):
        # Read its output meanwhile, since it may be waiting for that.
        deadline = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
        self.read()
        return self.process.poll()

    def close(self):
        self.process.kill()
        self.process.wait()
        for descriptor in self.master, self.slave:
            if descriptor is not None:
                os.close(descriptor)


@pytest.fixture
def live(servers):
    terminals = []

    def start(guests, *args, **kwargs):
        for guest in guests:
            servers.add(guest)
        terminals.append(Terminal('-q', servers.directory / '*.sock', *args, **kwargs))
        return terminals[-1]
    yield start
    for terminal in terminals:
        terminal.close()


def names(display):
    """The guests in the table, from the top."""
    return [line[1:16].strip() for line in display[2:17] if line[1:16].strip()]


def test_sorted_by_trouble(live):
    t = live([FakeGuest('a-healthy', rates={'minor-faults': 1}), FakeGuest('b-reclaim', rates=RECLAIM),
              FakeGuest('c-thrashing', rates=THRASHING, change=short_of_memory),
              FakeGuest('d-off', interval=0)], '0.5')
    display = t.wait(lambda d: names(d) == ['c-thrashing', 'b-reclaim', 'd-off', 'a-healthy'])
    assert '4 guests, every 0.5 s' in display[0]
    assert display[1].split() == ['guest', 'diagnosis', 'scanned', 'avail', 'stall', 'dscan',
                                  'kscan', 'swin', 'age', 'drecl']
    row = next(line for line in display if 'c-thrashing' in line)
    assert 'thrashing' in row and '20.0M' in row
    # The graph of what was scanned grows from the right.
    t.wait(lambda d: sum(c in BLOCKS for c in next(li for li in d if 'c-thrashing' in li)) >= 3)
    # Red, with colours.
    y = next(i for i, line in enumerate(t.screen.display) if 'c-thrashing' in line)
    assert t.screen.buffer[y][18].fg == 'red'
    # Below the table, the worst guest's diagnosis is explained, with what can be done.
    text = ' '.join(t.screen.display[-5:])
    assert 'c-thrashing' in text and 'thrashing: alloc-stalls' in text and '-> guest too small' in text


def test_keys(live):
    t = live([FakeGuest('a'), FakeGuest('b', rates=THRASHING)], '0.3')
    t.wait(lambda d: names(d) == ['b', 'a'] and 'thrashing' in d[2])
    t.press(b's')
    t.wait(lambda d: names(d) == ['a', 'b'])
    t.press(b'sss')
    t.wait(lambda d: names(d) == ['b', 'a'])
    t.press(b'\x1b[B')
    t.wait(lambda d: d[3].startswith('>a') and 'healthy: ' in d[-4])
    t.press(b'k')
    t.wait(lambda d: d[2].startswith('>b'))
    t.press(b'q')
    assert t.end() == 0


def test_resize(live):
    # Guests with one verdict stay in the order of their names.
    t = live([FakeGuest(f'vm{i:02}', rates={'minor-faults': 1}) for i in range(30)], '0.3')
    # Those without rates yet would be above, so then all have them.
    t.wait(lambda d: sum('healthy' in line for line in d[2:17]) == 15 and 'age' in d[1] and
           'majfl' not in d[1])
    t.resize(40, 132)
    display = t.wait(lambda d: 'majfl' in d[1] and
                     sum(line[1:3] == 'vm' and 'healthy' in line for line in d) == 30)
    assert len(display[1].rstrip()) <= 132
    t.resize(12, 50)
    t.wait(lambda d: 'avail' in d[1] and 'age' not in d[1] and
           sum(line[1:3] == 'vm' for line in d[2:7]) == 4)
    t.resize(3, 20)
    t.wait(lambda d: d[0].startswith('too small'))
    t.resize(24, 80)
    t.wait(lambda d: len(names(d)) == 15)
    # There are more guests than lines. The chosen one is always shown.
    for _ in range(29):
        t.press(b'j')
    t.wait(lambda d: '>vm29' in '\n'.join(d))


def test_monochrome(live):
    """A vt100 has no colours, and ASCII has no blocks. What is bad is shown all the same."""
    t = live([FakeGuest('a', rates={'minor-faults': 1}), FakeGuest('b', rates=THRASHING)], '0.3',
             term='vt100', locale='C')
    t.wait(lambda d: names(d) == ['b', 'a'] and 'thrashing' in d[2] and 'healthy' in d[3])
    t.wait(lambda d: any(c in '.:-=+*#@' for c in d[2][30:45]))
    assert t.screen.buffer[2][18].reverse and not t.screen.buffer[3][18].reverse
    assert not any(f'\x1b[3{n}m'.encode() in t.raw for n in range(8))
    assert all(byte < 128 for byte in t.raw)


def test_unknown_terminal(live):
    t = live([FakeGuest('a')], term='no-such-terminal')
    assert t.end() == 2
    assert b'the terminal "no-such-terminal" is not known; set TERM' in t.raw


def test_terminal_that_cannot_move_its_cursor(live):
    t = live([FakeGuest('a')], term='dumb')
    assert t.end() == 2
    assert b'the terminal "dumb" cannot move its cursor; set TERM' in t.raw


def test_names_and_words_are_whole(live):
    """At 80x24 a longer name is shown, and the advice is not cut."""
    name = 'a-name-of-24-characters.'
    t = live([FakeGuest(name, rates=THRASHING, actual=512 * MIB, change=short_of_memory)], '0.5')
    t.wait(lambda d: any(line.startswith('-> balloon') for line in d))
    text = ' '.join(' '.join(t.screen.display).split())
    assert name in t.screen.display[2]
    assert '"value": 738197504}}' in text


def test_more_keys(live):
    t = live([FakeGuest(f'vm{i:02}', rates={'minor-faults': 1}) for i in range(40)], '0.3')
    # By trouble, those without rates yet would come first.
    t.wait(lambda d: len(names(d)) == 15)
    t.press(b's')
    t.wait(lambda d: 'by name' in d[0])
    t.press(b'\x1b[1~')
    t.wait(lambda d: d[2].startswith('>vm00'))
    t.press(b'\x1b[6~')
    t.wait(lambda d: any(line.startswith('>vm1') for line in d))
    t.press(b'\x1b[4~')
    t.wait(lambda d: any(line.startswith('>vm39') for line in d))
    t.press(b'\x1b[1~')
    t.wait(lambda d: d[2].startswith('>vm00'))
    t.press(b'h')
    t.wait(lambda d: any('sort by trouble, name, scanned, available' in line for line in d))
    t.press(b'x')
    t.wait(lambda d: d[2].startswith('>vm00'))
    for how in 'scanned', 'available', 'trouble', 'name':
        t.press(b's')
        t.wait(lambda d: f'by {how}' in d[0])


def test_what_cannot_be_reached(live):
    t = live([FakeGuest('a'), Says(b'', name='busy')], '0.3', '-t', '1')
    t.wait(lambda d: names(d) == ['busy', 'a'] and 'busy' in d[2][17:] and
           'another client (libvirt?)' in ' '.join(d[-4:]))


@pytest.mark.parametrize('sig', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaves_the_terminal_as_it_was(live, sig):
    guest = FakeGuest('a', interval=0)
    t = live([guest], '0.3', '--poll', '7')
    t.wait(lambda d: names(d) == ['a'])
    assert guest.interval == 7
    assert termios.tcgetattr(t.slave) != t.before
    t.process.send_signal(sig)
    assert t.end() == 128 + sig
    assert guest.interval == 0
    assert termios.tcgetattr(t.slave) == t.before


def test_guests_come_and_go(live, servers):
    t = live([FakeGuest('a'), FakeGuest('b')], '0.3')
    t.wait(lambda d: names(d) == ['a', 'b'])
    servers.add(FakeGuest('c'))
    t.wait(lambda d: names(d) == ['a', 'b', 'c'])
    (servers.directory / 'a.sock').unlink()
    servers.hang_up()
    t.wait(lambda d: names(d) == ['b', 'c'])


def test_terminal_goes(live):
    """When its terminal is closed, it ends and restores the polling interval."""
    guest = FakeGuest('a', interval=0)
    t = live([guest], '0.3', '--poll', '7')
    t.wait(lambda d: names(d) == ['a'])
    os.close(t.slave)
    os.close(t.master)
    t.master = t.slave = None
    assert t.process.wait(TIMEOUT) is not None
    assert guest.interval == 0


def test_answers_between_rounds(live):
    """It reacts to keys and to a new size at once, even if the interval is long."""
    t = live([FakeGuest('a'), FakeGuest('b')], '600')
    t.wait(lambda d: names(d) == ['a', 'b'] and d[2].startswith('>a'))
    t.press(b'j')
    t.wait(lambda d: d[3].startswith('>b'))
    t.resize(30, 132)
    t.wait(lambda d: 'majfl' in d[1])
    t.press(b'q')
    assert t.end() == 0

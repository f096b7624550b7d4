# SPDX-License-Identifier: GPL-2.0-only
"""A host that misbehaves gets a message, and the other guests are still shown."""

import asyncio
import json
import re
import socket
import subprocess

import pytest

from common.project import BALLOONSTAT
from common.stat_names import FIRST_TEN
from conftest import TIMEOUT, wait_for
from fakeqmp import COUNTERS, GAUGES, GREETING, MIB, PRESSURE, UNSET, Answers, FakeGuest, Hangs, Says

GREET = json.dumps(GREETING).encode() + b'\r\n'
STATS = 'guest-stats'


# For what is to answer: on a busy machine that may take long.
PATIENT = ('-t', str(TIMEOUT))


def beside(servers, run, other, *args):
    """Run on a guest that misbehaves and one that does not. Return the former's object."""
    servers.add(other, name='other')
    good = servers.add(FakeGuest('good'))
    ran = run('-q', servers.directory / 'other.sock', '-q', good, '-j', *PATIENT, *args)
    assert ran.status == 0
    o = [o for o in ran.objects if o['address'].endswith('/other.sock')][-1]
    assert ran.guest('good')['state'] == 'healthy'
    assert ran.err.startswith('balloonstat: ') and o['error'] in ran.err
    assert len(ran.err.splitlines()) == 1
    return o


@pytest.mark.parametrize('other, state, says', [
    (Says(b'SSH-2.0-OpenSSH\r\n'), 'not-qmp', 'does not speak QMP'),
    (Says(b'HTTP/1.1 400 Bad Request\r\n\r\n', close=True), 'not-qmp', 'does not speak QMP'),
    (Says(b"QEMU 10.0.2 monitor - type 'help' for more information\r\n"), 'not-qmp',
     "QEMU's monitor for people, not QMP"),
    (Says(b'', close=True), 'not-qmp', 'closed without a greeting'),
    (Says(b'{"hello": 1}\r\n'), 'not-qmp', 'does not speak QMP'),
    (Says(b'\0\1\2\xff\n'), 'not-qmp', 'does not speak QMP'),
    (Says(b'x' * (1 << 20)), 'not-qmp', 'a line without end'),
    (Says(GREET, close=True), 'gone', 'the guest is gone'),
    (FakeGuest('x', balloon=False), 'no-balloon', 'start QEMU with -device virtio-balloon-pci'),
    (Answers(STATS, b'{"return": \r\n'), 'bad-answer', 'not JSON'),
    (Answers(STATS, b'{"return": {"stats": {"stat-swap-in": 1', close=True), 'gone',
     'the guest is gone'),
    (Answers(STATS, b'', close=True), 'gone', 'the guest is gone'),
    (Answers(STATS, b'{"return": {}, "id": {id}}\r\n'), 'bad-answer', 'guest-stats'),
    (Answers(STATS, b'{"return": {"stats": {}, "last-update": 1}, "id": 77}\r\n'), 'bad-answer',
     'it answers another question'),
    (Answers(STATS, b'{"return": 1}\r\n'), 'bad-answer', 'it answers another question'),
    (Answers(STATS, b'[' * 100000 + b'\r\n'), 'bad-answer', 'not JSON, or too deep'),
    (Answers(STATS, b'{"return": ' + b' ' * (1 << 20) + b'\r\n'), 'bad-answer',
     'a line without end'),
    (Answers(STATS, b'{"a": ' * 5000 + b'1' + b'}' * 5000 + b'\r\n'), 'bad-answer',
     'not JSON, or too deep'),
    (Answers('guest-stats-polling-interval', b'{"return": 1e99, "id": {id}}\r\n'), 'bad-answer',
     'guest-stats-polling-interval'),
    (Answers('qom-list', b'{"error": {"class": "CommandNotFound", "desc": "no \\u001b[2J"}, '
             b'"id": {id}}\r\n'), 'refused', 'QEMU refuses: no ?[2J'),
])
def test_misbehaves(servers, run, other, state, says):
    o = beside(servers, run, other)
    assert o['state'] == state and says in o['error']


class Floods(FakeGuest):
    """Sends events all the time and no answer."""

    async def serve(self, reader, writer):
        writer.write(GREET)
        try:
            while True:
                writer.write(b'{"event": "X"}\r\n' * 1000)
                await writer.drain()
        except ConnectionError:
            pass


@pytest.mark.parametrize('other, state, says', [
    (Says(b''), 'busy', 'another client (libvirt?) holds this monitor'),
    (Says(GREET), 'no-answer', 'no answer from QEMU for '),
    (Hangs('qom-list'), 'no-answer', 'no answer from QEMU for '),
    (Hangs('qom-get'), 'no-answer', 'no answer from QEMU for '),
    (Floods('x'), 'no-answer', 'no answer from QEMU for '),
])
def test_does_not_answer(servers, start, other, state, says):
    """Nobody knows how long the other one takes on a busy machine, but it is shown meanwhile."""
    servers.add(other, name='other')
    good = servers.add(FakeGuest('good'))
    process = start('-q', servers.directory / 'other.sock', '-q', good, '-j', '-t', '1', '0.5')
    last = {}

    def both():
        o = json.loads(process.stdout.readline())
        last['other' if o['address'].endswith('/other.sock') else 'good'] = o
        return len(last) == 2 and last['good']['state'] == 'healthy' and \
            last['other']['state'] == state and says in last['other']['error']
    wait_for(both, 'word of one, and the diagnosis of the other')


@pytest.mark.parametrize('values, absurd', [
    ({'stat-free-memory': (1 << 64) - 2}, False),       # taken for unset
    ({'stat-free-memory': (1 << 64) - 4096}, True),
    ({'stat-total-memory': 1 << 63}, True),
    ({'stat-oom-kills': -1}, True),
    ({'stat-oom-kills': 'many'}, True),
    ({'stat-oom-kills': None}, True),
    ({'stat-oom-kills': 10 ** 30}, True),
    ({'stat-direct-scans': (1 << 64) - 4096}, False),   # a counter that will wrap soon
    ({'stat-total-memory': 0}, False),
    ({'stat-new-in-2030': 5}, False),
])
def test_absurd_values(servers, run, values, absurd):
    guest = FakeGuest('vm', rates={'minor-faults': 10}, change=lambda stats, told: values)
    ran = run('-q', servers.add(guest), '-j')
    o = ran.objects[0]
    assert ran.status == 0
    assert (o['diagnosis']['why'] == 'absurd-values') == absurd
    name = next(iter(values)).removeprefix('stat-')
    if absurd:
        assert o['stats'][name] is None
    assert run('-q', servers.directory / 'vm.sock', '--doctor').status == int(absurd)


def test_counter_wraps(servers, run):
    guest = FakeGuest('vm', rates={'minor-faults': 100}, change=lambda stats, told: {
        'stat-direct-scans': (1 << 64) - 8192 if told == 0 else 8192})
    o = run('-q', servers.add(guest), '-j').objects[0]
    assert o['event'] == 'ok' and o['stats']['direct-scans'] == 8192
    assert o['rates']['direct-scans'] * o['seconds'] == pytest.approx(16384)


def test_nobody_there(servers, run):
    ran = run('-q', servers.directory / 'none.sock')
    assert ran.status == 1
    assert ran.err == ('balloonstat: none: No such file or directory; is this guest running?\n')


def test_pattern_finds_nothing(servers, run):
    ran = run('-q', servers.directory / '*.sock')
    assert ran.status == 1
    assert re.fullmatch(r'balloonstat: .*/\*\.sock: no socket there \(yet\)\n', ran.err)


def test_not_a_socket(servers, run):
    path = servers.directory / 'file'
    path.write_text('x')
    ran = run('-q', path)
    assert ran.status == 1 and 'is this guest running?' in ran.err


def test_path_too_long(run):
    ran = run('-q', '/' + 'x' * 300)
    assert ran.status == 1 and 'File name too long' in ran.err


def test_socket_nobody_listens_to(servers, run):
    path = servers.directory / 'dead.sock'
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    s.close()
    ran = run('-q', path)
    assert ran.status == 1 and 'Connection refused; is this guest running?' in ran.err


def test_queue_is_full(servers, run):
    """QEMU takes one connection, and another one is waiting already."""
    path = servers.directory / 'full.sock'
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen(0)
        with socket.socket(socket.AF_UNIX) as waits:
            waits.connect(str(path))
            # It is not waited for.
            ran = run('-q', path, '-t', '600', '-j')
    assert ran.objects[0]['state'] == 'busy'


class Slow(FakeGuest):
    """Takes two seconds to greet, and as long for each of the questions that follow."""
    FIRST = ('qmp_capabilities', 'query-version', 'x-query-virtio-status')

    async def greet(self, writer):
        await asyncio.sleep(2)
        await super().greet(writer)

    async def reply(self, message, writer):
        if message['execute'] in self.FIRST:
            await asyncio.sleep(2)
        await super().reply(message, writer)


def test_slow_host(servers, run):
    """Each answer comes in time, though all of them together take longer than that."""
    ran = run('-q', servers.add(Slow('vm')), '--doctor', '-t', '6')
    assert ran.status == 0 and 'all 16 statistics' in ran.out


def test_busy_until_the_other_leaves(servers, start):
    """It does not wait in the queue of a busy monitor. Once the other client has gone, it asks."""
    guest = FakeGuest('vm')
    path = servers.add(guest)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(path))
        assert b'QMP' in other.recv(4096)
        process = start('-q', path, '-j', '-t', '0.5', '0.5')
        assert json.loads(process.stdout.readline())['state'] == 'busy'
    wait_for(lambda: json.loads(process.stdout.readline())['state'] != 'busy', 'answer')


def test_leaves_the_queue(servers, run):
    """A monitor that is busy is left, so that it is free for the next client of its owner."""
    path = servers.directory / 'vm.sock'
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(5)
        process = subprocess.Popen([BALLOONSTAT, '-q', path, '-j', '-t', '0.3', '600'],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            assert json.loads(process.stdout.readline())['state'] == 'busy'
            listener.settimeout(TIMEOUT)
            connection, _ = listener.accept()
            connection.settimeout(TIMEOUT)
            with connection:
                # The end of the file: it waits no longer, though it goes on running.
                assert connection.recv(1) == b''
            assert process.poll() is None
        finally:
            process.kill()
            process.communicate()


def test_monitor_is_free_between_samples(servers, start):
    """Each sample has a connection of its own. Another client is served meanwhile."""
    guest = FakeGuest('vm', rates={'minor-faults': 10})
    path = servers.add(guest)
    process = start('-q', path, '-j', '0.2')

    def another_is_greeted():
        with socket.socket(socket.AF_UNIX) as other:
            other.settimeout(TIMEOUT)
            other.connect(str(path))
            assert b'QMP' in other.recv(4096)
    for _ in range(3):
        assert json.loads(process.stdout.readline())['error'] is None
        another_is_greeted()
    assert guest.clients >= 4
    # What does not change is asked once.
    assert guest.commands.count('query-name') == 1
    process.kill()
    # It leaves at once, and not just before the next sample.
    process = start('-q', path, '-j', '600')
    assert json.loads(process.stdout.readline())['error'] is None
    another_is_greeted()


def test_hold(servers, start):
    guest = FakeGuest('vm')
    process = start('-q', servers.add(guest), '-j', '--hold', '0.2')
    for _ in range(5):
        assert json.loads(process.stdout.readline())['error'] is None
    assert guest.clients == 1


@pytest.mark.parametrize('where', ['var/lib/libvirt/qemu/domain-1-vm', 'c/libvirt/qemu/lib/domain-2-x'])
def test_sockets_of_libvirt(servers, run, where):
    """libvirt loses a domain whose monitor somebody else takes."""
    directory = servers.directory / where
    directory.mkdir(parents=True)
    guest = FakeGuest('vm')
    path = servers.add(guest, name=f'{where}/monitor')
    (servers.directory / 'link').symlink_to(path)
    for name in path, servers.directory / 'link':
        ran = run('-q', name, '-j')
        assert ran.status == 1 and guest.clients == 0
        assert ran.objects[0]['state'] == 'libvirt-owns'
        assert 'use --connect, or --domain with its name' in ran.err


def test_events_between_answers(servers, run):
    class Chatty(FakeGuest):
        async def reply(self, message, writer):
            for _ in range(50):
                writer.write(b'{"timestamp": {"seconds": 1, "microseconds": 1}, '
                             b'"event": "BALLOON_CHANGE", "data": {"actual": 1}}\r\n')
            await super().reply(message, writer)
    o = run('-q', servers.add(Chatty('vm')), '-j').objects[0]
    assert o['state'] == 'healthy'


def test_a_hundred_and_one_hangs(servers, start):
    """One guest hangs, and may do so for ten minutes. The others are asked in each round."""
    guests = [FakeGuest(f'vm{i:02}', rates={'minor-faults': 10}) for i in range(99)]
    for guest in guests:
        servers.add(guest)
    hung = Hangs(name='hung', hanging=False)
    servers.add(hung)
    process = start('-q', servers.directory / '*.sock', '-j', '-t', '600', '1')

    def rounds(n):
        seen = [json.loads(process.stdout.readline()) for _ in range(n * 100)]
        assert all(o['error'] is None for o in seen)
        return [o for o in seen if o['guest'] == 'hung']

    def samples():
        return [guest.commands.count('query-balloon') for guest in guests]
    rounds(2)
    hung.hanging = True
    before = samples()
    wait_for(lambda: rounds(1) and all(b - a >= 4 for a, b in zip(before, samples())),
             'samples of the others')
    hung.hanging = False
    # It is shown as before, without being connected to again.
    wait_for(lambda: rounds(1)[0]['event'] == 'ok', 'its return')


def test_answers_again(servers, start):
    """One that has hung for too long is said not to answer. Once it does, it is shown again."""
    hung = Hangs(name='vm', hanging=False)
    process = start('-q', servers.add(hung), '-j', '-t', '0.5', '0.5')

    def state():
        return json.loads(process.stdout.readline())['state']
    wait_for(lambda: state() == 'healthy', 'diagnosis')
    hung.hanging = True
    wait_for(lambda: state() == 'no-answer', 'word of it')
    hung.hanging = False
    wait_for(lambda: state() == 'healthy', 'return')


def test_guest_vanishes_and_comes_back(servers, start):
    for name in 'vm', 'other':
        servers.add(FakeGuest(name, rates={'minor-faults': 10}))
    process = start('-q', servers.directory / 'vm.sock', '-q', servers.directory / 'other.sock',
                    '-j', '--hold', '0.3')

    def states():
        return [json.loads(process.stdout.readline())['state'] for _ in range(2)]
    wait_for(lambda: states() == ['healthy', 'healthy'], 'diagnosis')
    servers.hang_up()
    wait_for(lambda: states() == ['gone', 'gone'], 'word of it')
    wait_for(lambda: states() == ['healthy', 'healthy'], 'return')


def test_guests_come_and_go(servers, start):
    """A pattern also finds guests that start later. Guests that end are dropped."""
    servers.add(FakeGuest('one'))
    process = start('-q', servers.directory / '*.sock', '-j', '0.5')
    assert json.loads(process.stdout.readline())['guest'] == 'one'
    servers.add(FakeGuest('two'))
    wait_for(lambda: json.loads(process.stdout.readline())['guest'] == 'two', 'new guest')
    (servers.directory / 'one.sock').unlink()
    servers.hang_up()
    wait_for(lambda: [json.loads(process.stdout.readline())['guest'] for _ in range(4)] ==
             ['two'] * 4, 'one guest less')


def test_reboot(servers, start):
    """When counters start again from 0, no rates are computed."""
    rebooted = []

    def change(stats, told):
        return {name: 50 * (told - rebooted[0]) for name in COUNTERS} if rebooted else {}
    guest = FakeGuest('vm', rates={'minor-faults': 100}, change=change)
    process = start('-q', servers.add(guest), '-j', '0.5')

    def event():
        return json.loads(process.stdout.readline())['event']
    wait_for(lambda: event() == 'ok', 'rates')
    rebooted.append(guest.told)
    seen = []
    wait_for(lambda: seen.append(event()) or ('reset' in seen and seen[-1] == 'ok'), 'rates again')
    assert seen.count('reset') == 1


def test_reset_event(servers, start):
    """QEMU says that the machine was reset. The numbers alone would not tell."""
    class Reset(FakeGuest):
        reset = False

        async def reply(self, message, writer):
            if self.reset:
                self.reset = False
                writer.write(b'{"event": "RESET", "data": {"guest": false}}\r\n')
            await super().reply(message, writer)
    guest = Reset('vm', rates={'minor-faults': 10 ** 6})
    process = start('-q', servers.add(guest), '-j', '0.5')

    def event():
        return json.loads(process.stdout.readline())['event']
    wait_for(lambda: event() == 'ok', 'rates')
    guest.reset = True
    seen = []
    wait_for(lambda: seen.append(event()) or ('reset' in seen and seen[-1] == 'ok'), 'rates again')
    assert seen.count('reset') == 1


def test_earlier_state_is_loaded(servers, start):
    """The counters fall back, as after a reboot. It does not claim to know that it was one."""
    loaded = []
    guest = FakeGuest('vm', rates={'minor-faults': 100},
                      change=lambda stats, told: {'stat-minor-faults': 50000 + told} if loaded else {})
    process = start('-q', servers.add(guest), '-j', '0.3')
    wait_for(lambda: json.loads(process.stdout.readline())['event'] == 'ok', 'rates')
    loaded.append(True)
    seen = []
    wait_for(lambda: seen.append(json.loads(process.stdout.readline())) or
             seen[-1]['event'] == 'reset', 'word of it')
    assert 'rebooted, or another state of it was loaded' in seen[-1]['diagnosis']['reason']


@pytest.mark.parametrize('forgets', [False, True])
def test_later_state_is_loaded(servers, start, forgets):
    """The counters jump. Newer QEMUs have forgotten the values in between."""
    far = {name: 10 ** (6 if forgets else 13) for name in COUNTERS}
    state = []

    def change(stats, told):
        if not state:
            return {}
        if state[0] == 'reset':
            return {name: UNSET for name in stats}
        return {name: far[name] + told for name in COUNTERS}
    guest = FakeGuest('vm', rates={'minor-faults': 100}, change=change)
    process = start('-q', servers.add(guest), '-j', '0.2')
    seen = []

    def read(condition, what):
        wait_for(lambda: seen.append(json.loads(process.stdout.readline())) or condition(seen[-1]),
                 what)
    read(lambda o: o['event'] == 'ok', 'rates')
    seen.clear()
    if forgets:
        state.append('reset')
        read(lambda o: o['stats']['minor-faults'] is None, 'values forgotten')
    state[:] = ['loaded']
    read(lambda o: o['diagnosis']['why'] == ('counters-restarted' if forgets else 'counters-jumped'),
         'word of it')
    read(lambda o: o['event'] == 'ok' and o['diagnosis']['why'] is None, 'rates')
    for o in seen:
        assert (o['rates']['minor-faults'] or 0) < 1000


def test_stale(servers, run):
    guest = FakeGuest('vm', age=60)
    path = servers.add(guest)
    ran = run('-q', path, '-j')
    d = ran.objects[0]['diagnosis']
    assert d['why'] == 'stopped-answering'
    assert re.match(r'the guest stopped answering: last report 6\d s ago, asked every 1 s',
                    d['reason'])
    row = run('-q', path).lines[1].split()
    assert 60 <= int(row[-2]) <= 70 and row[-1] == 'no-data'


# --- doctor ----------------------------------------------------------------

OLD = {f'stat-{name}': MIB if f'stat-{name}' in GAUGES else 5 for name in FIRST_TEN}
UNSET_SIX = {name: UNSET for name in PRESSURE}


@pytest.mark.parametrize('guest, says', [
    (FakeGuest('vm', balloon=False), 'no balloon device; start QEMU with'),
    (FakeGuest('vm', driver=False, silent=True), 'no driver runs the balloon: modprobe'),
    (FakeGuest('vm', interval=0), 'polling is off: balloonstat --poll SECONDS'),
    (FakeGuest('vm', silent=True), 'no statistics have come since the guest booted'),
    (FakeGuest('vm', age=100), 'stale: the last statistics came '),
    (FakeGuest('vm', running=False), 'the guest is paused'),
    (FakeGuest('vm', stats=OLD, version=(7, 2)), "this host's QEMU, being older than 9.2, does not"),
    (FakeGuest('vm', stats={**OLD, **UNSET_SIX}), 'sends tags 0 to 9 only: so does '
     "Linux's stock driver before 6.12"),
    (FakeGuest('vm', stats={**OLD, **UNSET_SIX, 'stat-oom-kills': 0, 'stat-alloc-stalls': 0}),
     'or it has virtio-balloon, loaded with max_stat_tag=11'),
    # As Windows and older kernels.
    (FakeGuest('vm', stats={**{name: UNSET for name in OLD}, **UNSET_SIX,
                            **{name: OLD[name] for name in list(OLD)[:7]}}),
     'sends tags 0 to 6 only: so may drivers of older kernels or of other systems'),
    (Says(b''), 'another client (libvirt?) holds this monitor, QEMU hangs, or this is no QMP socket'),
    # It says what was refused, and nothing of what it could not find out.
    (Answers(STATS, b'{"error": {"class": "GenericError", "desc": "not now"}, "id": {id}}\r\n'),
     'QEMU refuses: not now'),
    (Answers('guest-stats-polling-interval', b'{"error": {"class": "GenericError", '
             b'"desc": "not now"}, "id": {id}}\r\n'), 'QEMU refuses: not now'),
])
def test_doctor(servers, run, guest, says):
    path = servers.add(guest, name='vm')
    # Only one of them is never greeted.
    ran = run('-q', path, '--doctor', *(('-t', '0.5') if type(guest) is Says else PATIENT))
    assert (ran.status, ran.err) == (1, '')
    assert says in ran.out
    assert ran.out.count('  ! ') == 1
    assert 'loaded with max_stat_tag=6 ' not in ran.out


def test_doctor_finds_nothing(servers, run):
    ran = run('-q', servers.add(FakeGuest('vm')), '--doctor')
    assert ran.status == 0
    assert 'all 16 statistics, the last ' in ran.out and '!' not in ran.out

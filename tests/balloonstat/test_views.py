# SPDX-License-Identifier: GPL-2.0-only
"""What balloonstat shows about guests that do not misbehave."""

import json
import re
import select
import subprocess

import pytest

from common.project import VERSION
from conftest import TIMEOUT, wait_for
from fakeqmp import (GAUGES, GREETING, MIB, PRESSURE, UNSET, FakeGuest, Hangs,
                     short_of_memory)

THRASHING = {'minor-faults': 5000, 'alloc-stalls': 300, 'direct-scans': 50 * MIB,
             'direct-reclaims': 5 * MIB, 'swap-in': 4 * MIB, 'swap-out': 4 * MIB,
             'major-faults': 1000}
RECLAIM = {'minor-faults': 5000, 'alloc-stalls': 300, 'direct-scans': 50 * MIB,
           'direct-reclaims': 45 * MIB}


# --- lines like those of vmstat --------------------------------------------

def test_once(servers, run):
    path = servers.add(FakeGuest('vm', rates=THRASHING))
    ran = run('--qmp', path)
    assert (ran.status, ran.err) == (0, '')
    header, row = ran.lines
    assert header.split() == ['mem', 'avail', 'swin', 'swout', 'majfl', 'stall', 'kscan',
                              'krecl', 'dscan', 'drecl', 'oom', 'age', 'diagnosis']
    assert len(header) <= 80 and len(row) <= 80
    row = dict(zip(header.split(), row.split()))
    assert (row['mem'], row['avail'], row['kscan'], row['oom']) == ('1.0G', '500M', '0', '0')
    assert row['diagnosis'] == 'thrashing'
    # A report comes each second, so the rates are right to a few percent.
    assert 40 <= float(row['dscan'].removesuffix('M')) <= 60
    assert 240 <= float(row['stall']) <= 360


@pytest.mark.parametrize('phase', [0.02, 0.3, 0.6, 0.9, 0.98])
@pytest.mark.parametrize('args', [[], ['-p', '1']])
def test_first_rates(servers, run, phase, args):
    """The first rates are right, whatever part of a second the guest reports in."""
    guest = FakeGuest('vm', rates={'minor-faults': 725}, phase=phase,
                      interval=0 if args else 1)
    o = run('-q', servers.add(guest), '-j', *args).objects[0]
    assert o['rates']['minor-faults'] == pytest.approx(725, rel=0.1)


@pytest.mark.parametrize('phase', [0.02, 0.5, 0.9])
def test_first_check(servers, run, phase):
    """One stall a second is not much for a guest of 1 GiB, and it never looks like much."""
    guest = FakeGuest('vm', rates={'minor-faults': 5000, 'alloc-stalls': 1,
                                   'direct-scans': MIB, 'direct-reclaims': MIB / 8}, phase=phase)
    ran = run('-q', servers.add(guest), '--check')
    assert ran.status == 0, ran.out


def test_kill_is_counted_once(servers, start):
    """A kill is in the line of the report that brought it, and in no other."""
    guest = FakeGuest('vm', seconds=2, interval=2)
    process = start('-q', servers.add(guest), '0.2')
    process.stdout.readline()

    def kills():
        return process.stdout.readline().split()[10]
    wait_for(lambda: kills() == b'0', 'rates')
    guest.add(oom_kills=1)
    wait_for(lambda: kills() == b'1', 'kill')
    assert [kills() for _ in range(5)] == [b'0'] * 5


@pytest.mark.parametrize('kind, actual, balloon', [
    ('virtio-mem', 1024, 0),        # QEMU leaves its memory out
    ('virtio-mem', 512, 512),
    ('nvdimm', 1024, 0),
    ('dimm', 1536, 0),              # but not that of a DIMM
    ('dimm', 1024, 512),
])
def test_balloon_and_plugged_memory(servers, run, kind, actual, balloon):
    guest = FakeGuest('vm', rates=THRASHING, actual=actual * MIB, change=short_of_memory,
                      devices=[{'type': kind, 'data': {'size': 512 * MIB}}])
    o = run('-q', servers.add(guest), '-j').objects[0]
    assert o['diagnosis']['numbers']['balloon'] == balloon * MIB
    assert ('balloon too large' in o['diagnosis']['advice']) == bool(balloon)


@pytest.mark.parametrize('hold', [[], ['--hold']])
def test_memory_is_plugged(servers, start, hold):
    guest = FakeGuest('vm', rates={'minor-faults': 10})
    process = start('-q', servers.add(guest), '-j', *hold, '0.2')
    json.loads(process.stdout.readline())
    guest.devices.append({'type': 'dimm', 'data': {'size': 512 * MIB}})
    guest.actual += 512 * MIB
    wait_for(lambda: json.loads(process.stdout.readline())['actual'] == 1536 * MIB, 'memory')
    assert json.loads(process.stdout.readline())['max'] == 1536 * MIB


def test_interval_and_count(servers, run):
    path = servers.add(FakeGuest('vm', rates=THRASHING))
    ran = run('-q', path, '1', '4')
    assert (ran.status, ran.err) == (0, '')
    assert len(ran.lines) == 5
    # The first line has no rates, and says why. What is unset is not shown as 0.
    assert ran.lines[1].split()[2:11] == ['-'] * 9
    assert ran.lines[1].split()[-1] == 'no-data'
    assert ran.lines[-1].split()[-1] == 'thrashing'
    # Three intervals: the last line is not waited for.
    assert 2.9 <= ran.seconds


def test_explain(servers, run):
    path = servers.add(FakeGuest('vm', rates=THRASHING, actual=512 * MIB, change=short_of_memory))
    ran = run('-q', path, '--explain')
    text = '\n'.join(ran.lines[2:])
    assert re.search(r'thrashing: alloc-stalls \d+/s \(high: 1\.8\), direct-scans [\d.]+ MiB/s '
                     r'\(high: 184\.3 KiB\), 10% of it reclaimed', text)
    assert '-> balloon too large: it holds 512.0 MiB of 1.0 GiB; give some back' in text


def test_names_and_order(servers, run):
    for name in 'b', 'a', 'c':
        servers.add(FakeGuest(name))
    paths = [servers.directory / f'{name}.sock' for name in 'bac']
    ran = run(*(word for path in paths for word in ('--qmp', path)))
    assert [line.split()[0] for line in ran.lines] == ['guest', 'b', 'a', 'c']


def test_pattern(servers, run):
    for i in range(3):
        servers.add(FakeGuest(f'vm{i}'))
    ran = run('--qmp', servers.directory / '*.sock', '--json')
    assert {o['guest'] for o in ran.objects} == {'vm0', 'vm1', 'vm2'}


def test_order_of_a_pattern(servers, run):
    for name in 'vm10', 'vm2', 'b', 'a':
        servers.add(FakeGuest(name, interval=0))
    lines = run('-q', servers.directory / '*.sock').lines
    assert [line.split()[0] for line in lines] == ['guest', 'a', 'b', 'vm2', 'vm10']


def test_columns_of_short_names(servers, run):
    for name in 'a', 'b\u00fc':
        servers.add(FakeGuest(name, interval=0))
    header, *rows = run('-q', servers.directory / '*.sock').lines
    for row in rows:
        assert row.index('no-data') == header.index('diagnosis')


@pytest.mark.parametrize('name', ['a[1]', 'b*', 'c?'])
def test_socket_that_looks_like_a_pattern(servers, run, name):
    path = servers.add(FakeGuest('vm', interval=0), name=name)
    assert run('-q', path, '-j').objects[0]['address'] == str(path)


def test_no_data_has_a_reason(servers, run):
    """A plain run on a guest that is not asked says so, and what to do."""
    ran = run('-q', servers.add(FakeGuest('vm', interval=0)))
    assert ran.status == 0 and ran.lines[1].endswith('no-data')
    assert ran.err == ('balloonstat: vm: no-data: the host does not ask for reports: polling is off; '
                       'turn it on with --poll SECONDS\n')


def test_polling_that_was_off_is_no_silence(servers, start):
    """An old report of a guest that nobody asked does not mean that it hangs."""
    guest = FakeGuest('vm', interval=0, age=3600)
    process = start('-q', servers.add(guest), '-p', '1', '-e', '0.3', '8')
    out, _ = process.communicate(timeout=TIMEOUT)
    assert b'hangs' not in out and b'stopped answering' not in out
    assert b'one report so far' in out


def test_pretty_json(servers, run):
    """QEMU's monitor may have pretty=on, and then spreads each answer over lines."""
    class Pretty(FakeGuest):
        async def greet(self, writer):
            writer.write(json.dumps(GREETING, indent=4).replace('\n', '\r\n').encode() + b'\r\n')

        async def reply(self, message, writer):
            result = {'return': self.answer(message['execute'], message.get('arguments', {})),
                      'id': message['id']}
            writer.write(json.dumps(result, indent=4).replace('\n', '\r\n').encode() + b'\r\n')
    o = run('-q', servers.add(Pretty('vm')), '-j').objects[0]
    assert o['error'] is None and o['state'] == 'healthy'


def test_tcp(servers, run):
    guest = FakeGuest('vm', interval=0)
    port = servers.add_tcp(guest)
    o = run('-q', f'tcp:127.0.0.1:{port}', '-j').objects[0]
    assert o['error'] is None and o['guest'] == 'vm'
    ran = run('-q', 'tcp:127.0.0.1:1', '-j')
    assert ran.objects[0]['state'] == 'unreachable' and 'Connection refused' in ran.err


def test_name_of_the_socket_where_qemu_has_none(servers, run):
    path = servers.add(FakeGuest(None), name='web.1')
    assert run('-q', path, '-j').objects[0]['guest'] == 'web.1'


def test_limits(servers, run):
    path = servers.add(FakeGuest('vm', rates=THRASHING))
    ran = run('-q', path, '-j', '--set', 'ratio-low=5', '--set', 'return-high=90')
    assert ran.objects[0]['diagnosis']['name'] == 'reclaim'


# --- objects ---------------------------------------------------------------

def test_json(servers, run):
    guest = FakeGuest('vm', rates=RECLAIM, actual=768 * MIB)
    path = servers.add(guest)
    ran = run('-q', path, '--json', '1', '3')
    assert (ran.status, ran.err, len(ran.objects)) == (0, '', 3)
    first, last = ran.objects[0], ran.objects[-1]
    assert first['event'] == 'first' and first['diagnosis']['why'] == 'one-report'
    assert all(rate is None for rate in first['rates'].values())
    assert last['address'] == str(path) and last['source'] == 'qmp' and last['error'] is None
    assert last['actual'] == 768 * MIB and last['max'] == 1024 * MIB and last['polling'] == 1
    assert len(last['stats']) == 16
    assert last['stats']['available-memory'] == GAUGES['stat-available-memory']
    assert last['stats']['hugetlb-allocations'] == 1000
    assert len(last['rates']) == 12
    assert 240 <= last['rates']['alloc-stalls'] <= 360
    assert last['diagnosis']['name'] == 'reclaim' and last['diagnosis']['severity'] == 1
    numbers = last['diagnosis']['numbers']
    assert numbers['reclaimed-percent'] == pytest.approx(90)
    assert numbers['balloon'] == 256 * MIB
    assert 'it gives way too late' in last['diagnosis']['advice']
    assert 0 <= last['age'] <= 5


def test_unset_is_null(servers, run):
    stats = {**{f'stat-{name}': 5 for name in ('swap-in', 'minor-faults')},
             **{name: UNSET for name in PRESSURE}, **GAUGES}
    path = servers.add(FakeGuest('vm', stats=stats))
    o = run('-q', path, '-j').objects[0]
    assert o['stats']['swap-in'] == 5
    assert o['stats']['swap-out'] is None and o['stats']['oom-kills'] is None
    assert o['rates']['oom-kills'] is None
    assert o['diagnosis']['why'] == 'six-not-sent'
    row = run('-q', path).lines[1].split()
    assert row[3] == '-' and row[10] == '-'


def test_exact_to_a_page(servers, run):
    """Large numbers are not rounded."""
    value = (1 << 62) + 4096
    guest = FakeGuest('vm')
    guest.counts['stat-direct-scans'] = value
    assert run('-q', servers.add(guest), '-j').objects[0]['stats']['direct-scans'] == value


# --- prometheus ------------------------------------------------------------

def check_metrics(text):
    ran = subprocess.run(['promtool', 'check', 'metrics'], input=text, text=True,
                         capture_output=True)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, '')


def test_prometheus(servers, run, tmp_path):
    servers.add(FakeGuest('vm"\\1', rates=RECLAIM), name='one')
    servers.add(FakeGuest('hung'), name='two')
    servers.add(Hangs(name='three'))
    file = tmp_path / 'balloonstat.prom'
    ran = run('-q', servers.directory / '*.sock', '--prometheus', file)
    assert ran.status == 0
    text = file.read_text()
    check_metrics(text)
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o777 == 0o644
    assert 'balloonstat_up{guest="vm\\"\\\\1",' in text
    assert len(re.findall(r'^balloonstat_up\{.*\} 1$', text, re.M)) == 2
    assert len(re.findall(r'^balloonstat_up\{.*\} 0$', text, re.M)) == 1
    assert re.search(r'^balloonstat_diagnosis\{guest="vm.*diagnosis="reclaim"\} 1$', text, re.M)
    for name in 'swap_in_bytes_total', 'oom_kills_total', 'available_memory_bytes':
        assert text.count(f'# HELP balloonstat_{name} ') == 1
        assert text.count(f'# TYPE balloonstat_{name} ') == 1
        assert len(re.findall(rf'^balloonstat_{name}{{', text, re.M)) == 2


@pytest.mark.parametrize('name', ['\u00fc' * 200, 'a' + '\u00fc' * 200, 'ab' + '\u2014' * 200],
                         ids=('even', 'odd', 'three'))
def test_long_names(servers, run, tmp_path, name):
    """A name is cut between two characters, and not within one."""
    path = servers.add(FakeGuest(name, interval=0), name='vm')
    shown = run('-q', path, '-j').objects[0]['guest']
    assert len(shown) > 10 and name.startswith(shown)
    run('-q', path, '--prometheus', tmp_path / 'x.prom')
    text = (tmp_path / 'x.prom').read_text()
    check_metrics(text)
    assert f'guest="{shown}"' in text


def test_prometheus_is_replaced_whole(servers, start, tmp_path):
    """Whoever reads the file always finds a complete one."""
    for i in range(20):
        servers.add(FakeGuest(f'vm{i}'))
    file = tmp_path / 'balloonstat.prom'
    process = start('-q', servers.directory / '*.sock', '--prometheus', file, '0.1', '30')
    seen = set()
    while process.poll() is None:
        if file.exists():
            text = file.read_text()
            seen.add(re.search(r'^balloonstat_written_timestamp_seconds (.*)$', text, re.M)[1])
            assert text.endswith('\n') and text.count('balloonstat_up{') == 20
            assert len(re.findall(r'diagnosis="critical"\} 0$', text, re.M)) == 20
    assert process.returncode == 0 and len(seen) > 3
    check_metrics(text)


def test_prometheus_cannot_be_written(servers, run, tmp_path):
    path = servers.add(FakeGuest('vm'))
    ran = run('-q', path, '--prometheus', tmp_path / 'none' / 'x.prom')
    assert ran.status == 1
    assert re.fullmatch(r'balloonstat: cannot write .*/none/x.prom: No such file or directory; '
                        r'its directory must exist and be writable\n', ran.err)


def test_prometheus_leaves_nothing_behind(servers, run, tmp_path):
    """If there is a directory of the file's name, it fails and leaves no temporary file."""
    path = servers.add(FakeGuest('vm'))
    (tmp_path / 'x.prom').mkdir()
    ran = run('-q', path, '--prometheus', tmp_path / 'x.prom')
    assert ran.status == 1 and 'Is a directory' in ran.err
    assert [p.name for p in tmp_path.iterdir()] == ['x.prom']


# --- monitoring ------------------------------------------------------------

@pytest.mark.parametrize('rates, status, begins', [
    ({}, 0, 'BALLOON OK - vm: healthy ('),
    (RECLAIM, 1, 'BALLOON WARNING - vm: reclaim ('),
    (THRASHING, 2, 'BALLOON CRITICAL - vm: thrashing ('),
    ({**THRASHING, 'oom-kills': 1}, 2, 'BALLOON CRITICAL - vm: critical (oom-kills +'),
    ({'oom-kills': 1}, 1, 'BALLOON WARNING - vm: cgroup-oom ('),
])
def test_check(servers, run, rates, status, begins):
    path = servers.add(FakeGuest('vm', rates=rates))
    ran = run('-q', path, '--check')
    assert (ran.status, ran.err, len(ran.lines)) == (status, '', 1)
    assert ran.out.startswith(begins)
    assert "| 'vm_available'=524288000B;94371840:;;0;943718400 'vm_stalls_per_s'=" in ran.out


def test_check_of_polling_off(servers, run):
    guest = FakeGuest('vm', interval=0)
    ran = run('-q', servers.add(guest), '--check')
    assert ran.status == 3
    assert ran.out.startswith('BALLOON UNKNOWN - vm: no-data (the host does not ask for reports: '
                              'polling is off), turn it on with --poll SECONDS')
    # Waiting would bring nothing.
    assert guest.commands.count('query-balloon') == 1


def test_check_takes_the_worst(servers, run):
    for name, rates in ('a', {}), ('b', THRASHING), ('c', RECLAIM):
        servers.add(FakeGuest(name, rates=rates))
    ran = run('-q', servers.directory / '*.sock', '--check')
    assert ran.status == 2
    assert ran.lines[0].startswith('BALLOON CRITICAL - b: thrashing, c: reclaim, 1 of 3 healthy |')
    # Then a line for each that is not healthy.
    assert [line.split(' (')[0] for line in ran.lines[1:]] == ['b: thrashing', 'c: reclaim']


def test_check_of_equal_names(servers, run):
    """Each number has a label of its own."""
    for name in 'a', 'b':
        servers.add(FakeGuest('vm', rates={'minor-faults': 1}), name=name)
    ran = run('-q', servers.directory / '*.sock', '--check')
    labels = re.findall(r"'([^']+)'=", ran.lines[0])
    assert len(labels) == len(set(labels)) > 2


def test_check_of_many(servers, run):
    """Monitoring shows the first line, and keeps a few KiB of it."""
    for i in range(150):
        servers.add(FakeGuest(f'guest-{i}', interval=0))
    ran = run('-q', servers.directory / '*.sock', '--check')
    assert ran.status == 3 and len(ran.lines) == 151
    assert len(ran.lines[0]) < 1024 and '145 more, 0 of 150 healthy' in ran.lines[0]


def test_check_over_an_interval(servers, run):
    """With an INTERVAL the rates are averages over that time."""
    path = servers.add(FakeGuest('vm', rates={'minor-faults': 100}))
    ran = run('-q', path, '--check', '3')
    assert ran.status == 0 and 3 <= ran.seconds


# --- bad options -----------------------------------------------------------

@pytest.mark.parametrize('args, status, says', [
    ([], 2, 'which guests? Say --qmp PATH or --connect'),
    (['--check'], 3, 'which guests?'),
    (['-q', 'x', '0'], 2, '"0": INTERVAL is in seconds, from 0.1 to 86400'),
    (['-q', 'x', 'soon'], 2, '"soon": INTERVAL is in seconds'),
    (['-q', 'x', '1', '0'], 2, '"0": COUNT is a number from 1 on'),
    (['-q', 'x', '1', '2', '3'], 2, 'too many words'),
    (['-q', 'x', '--poll', '0'], 2, '--poll 0: whole seconds, from 1 to 86400'),
    (['-q', 'x', '--poll', '1.5'], 2, '--poll 1.5: whole seconds'),
    (['-q', 'x', '--timeout', '-1'], 2, '--timeout -1: seconds'),
    (['-q', 'x', '--set', 'what=1'], 2, '--set what=1: there is no such limit'),
    (['-q', 'x', '--json', '--check'], 3, 'only one view at a time'),
    (['-q', 'x', '--json', '--doctor'], 2, 'only one view at a time'),
    (['-q', 'x', '--what'], 2, "unrecognized option '--what'"),
    (['-q', 'x', '--live'], 2, '--live needs a terminal'),
])
def test_bad_options(run, args, status, says):
    ran = run(*args)
    assert (ran.status, ran.out) == (status, '')
    assert says in ran.err
    assert len(ran.err.splitlines()) <= 2


def test_help_fits_a_screen(run):
    ran = run('--help')
    assert ran.status == 0 and len(ran.lines) <= 24
    assert max(map(len, ran.lines)) <= 80


def test_version(run):
    assert run('-V').out == f'balloonstat {VERSION}\n'


def test_output_is_lines_as_they_come(servers, start):
    """Each line is written at once, also to a pipe."""
    path = servers.add(FakeGuest('vm'))
    process = start('-q', path, '--json', '600')
    assert select.select([process.stdout], [], [], TIMEOUT)[0]
    assert json.loads(process.stdout.readline())['guest'] == 'vm'

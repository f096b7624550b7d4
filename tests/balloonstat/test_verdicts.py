# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts about guests that look like others, from their reports to what is printed.

unit/diagnose_test.c has them as tables. Here each is a guest that balloonstat asks."""

import json

import pytest

from conftest import wait_for
from fakeqmp import MIB, FakeGuest

BUSY = {'minor-faults': 5000}
CASES = {
    # A database reads its files by mmap. Nothing is short.
    'mmap reads': (
        {'major-faults': 20000, 'async-scans': 20 * MIB, 'async-reclaims': 19 * MIB},
        76, 'healthy', {}),
    'mmap reads that stall': (
        {'major-faults': 20000, 'alloc-stalls': 20, 'direct-scans': 3 * MIB,
         'direct-reclaims': 3 * MIB, 'async-scans': 20 * MIB, 'async-reclaims': 19 * MIB},
        76, 'reclaim', {'advice': ('watermark_scale_factor=', '!too small')}),
    # Swap is written before the pages are reclaimed.
    'swap writes': (
        {'swap-out': 20 * MIB, 'async-scans': 40 * MIB, 'async-reclaims': 5 * MIB},
        5, 'kswapd-fails', {}),
    'khugepaged': (
        {'alloc-stalls': 1, 'direct-scans': 20 * MIB, 'direct-reclaims': 20 * MIB},
        40, 'healthy', {}),
    'a container is killed': (
        {'oom-kills': 1, 'alloc-stalls': 1, 'direct-scans': MIB / 8, 'direct-reclaims': MIB / 8},
        90, 'cgroup-oom', {}),
    'page cache is read again, or not': (
        {'async-scans': 200 * MIB, 'async-reclaims': 198 * MIB},
        60, 'healthy', {'reason': ('its page cache is replaced every 2 s',)}),
    'some stalls while kswapd fails': (
        {'alloc-stalls': 1, 'async-scans': 60 * MIB, 'async-reclaims': 3 * MIB},
        5, 'kswapd-fails', {'reason': ('alloc-stalls 1.0/s', '!no alloc-stalls')}),
    'stalls that find what they need': (
        {'alloc-stalls': 200, 'direct-scans': MIB / 10, 'direct-reclaims': MIB / 10.5},
        20, 'stalls', {'advice': ('finds at once', '!little is scanned')}),
}


@pytest.mark.parametrize('case', CASES)
def test_verdict(servers, run, case):
    rates, percent, name, words = CASES[case]
    guest = FakeGuest('vm', rates={**BUSY, **rates}, change=lambda stats, told: {
        'stat-available-memory': 9 * MIB * percent})
    d = run('-q', servers.add(guest), '-j').objects[0]['diagnosis']
    assert d['name'] == name
    for what, texts in words.items():
        for text in texts:
            assert (text.removeprefix('!') in d[what]) != text.startswith('!')


def test_large_guest(servers, run):
    """What hurts does not grow with the guest for ever."""
    gib = 1024 * MIB
    guest = FakeGuest('vm', rates={**BUSY, 'alloc-stalls': 100, 'direct-scans': 200 * MIB,
                                   'direct-reclaims': 8 * MIB},
                      actual=256 * gib, memory=256 * gib, change=lambda stats, told: {
                          'stat-total-memory': 256 * gib, 'stat-available-memory': 10 * gib})
    assert run('-q', servers.add(guest), '-j').objects[0]['diagnosis']['name'] == 'thrashing'


def test_bursts(servers, start):
    """Every other report is bad, from some time on."""
    begin = []

    def change(stats, told):
        bad = (told - begin[0]) // 2 if begin else 0
        return {name: 1000 + n * bad for name, n in
                (('stat-alloc-stalls', 500), ('stat-direct-scans', 60 * MIB),
                 ('stat-direct-reclaims', 55 * MIB))}
    guest = FakeGuest('vm', rates=BUSY, change=change)
    process = start('-q', servers.add(guest), '-j', '0.5')

    def state():
        return json.loads(process.stdout.readline())['state']
    wait_for(lambda: state() == 'healthy', 'diagnosis')
    begin.append(guest.told)
    wait_for(lambda: state() == 'reclaim', 'verdict')
    # It stays, though every other report is good, for longer than a verdict is held.
    assert [state() for _ in range(14)] == ['reclaim'] * 14


def test_silent(servers, start):
    """A guest that was critical and does not answer any more is worst of all."""
    guest = FakeGuest('vm', rates={**BUSY, 'alloc-stalls': 300, 'direct-scans': 50 * MIB,
                                   'direct-reclaims': 5 * MIB})
    process = start('-q', servers.add(guest), '-j', '0.5')
    wait_for(lambda: json.loads(process.stdout.readline())['state'] == 'thrashing', 'verdict')
    guest.stalled = True
    wait_for(lambda: json.loads(process.stdout.readline())['state'] == 'silent', 'word of it')
    o = json.loads(process.stdout.readline())
    assert o['diagnosis']['severity'] == 2
    assert 'since it was thrashing' in o['diagnosis']['reason']


def test_held_numbers_are_old(servers, start):
    """While a verdict is held, it says how old its numbers are."""
    guest = FakeGuest('vm', rates={**BUSY, 'alloc-stalls': 300, 'direct-scans': 50 * MIB,
                                   'direct-reclaims': 5 * MIB})
    process = start('-q', servers.add(guest), '-j', '0.5', '--set', 'hold=600')

    def diagnosis():
        return json.loads(process.stdout.readline())['diagnosis']
    wait_for(lambda: diagnosis()['name'] == 'thrashing', 'verdict')
    guest.rates = BUSY
    wait_for(lambda: ' s ago: alloc-stalls' in diagnosis()['reason'], 'the age of the numbers')

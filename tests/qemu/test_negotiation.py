# SPDX-License-Identifier: GPL-2.0-only
"""Which features the driver accepts, of those that the device offers.

Both drivers accept the same, except indirect descriptors. Ours declines these on every
kernel, and the stock driver on some."""

import pytest

from common.guest import EVERYTHING, MIB

ALWAYS = {'VIRTIO_BALLOON_F_STATS_VQ', 'VIRTIO_RING_F_EVENT_IDX'}
MODERN = ALWAYS | {'VIRTIO_F_VERSION_1', 'VIRTIO_F_RING_RESET'}
OOM = {'VIRTIO_BALLOON_F_DEFLATE_ON_OOM'}
HINT = {'VIRTIO_BALLOON_F_FREE_PAGE_HINT'}
REPORT = {'VIRTIO_BALLOON_F_REPORTING'}
POISON = {'VIRTIO_BALLOON_F_PAGE_POISON'}
PACKED = {'VIRTIO_F_RING_PACKED'}

LEGACY = {'disable-modern': True, 'disable-legacy': 'off'}
NO_POISON = {'free-page-reporting': True, 'free-page-hint': True,
             'page-poison': False}
POISONING = 'page_poison=1'
CLEARING = 'init_on_free=1'

# Kernel parameters, properties of the device, and the features that are negotiated then.
CASES = [
    ('', {}, MODERN),
    ('', {'page-poison': False}, MODERN),
    ('', {'deflate-on-oom': True}, MODERN | OOM),
    ('', {'free-page-hint': True}, MODERN | HINT),
    ('', {'free-page-reporting': True}, MODERN | REPORT),
    ('', NO_POISON, MODERN | HINT | REPORT),
    ('', EVERYTHING, MODERN | OOM | HINT | REPORT),
    ('', {'indirect_desc': False}, MODERN),
    ('', {'event_idx': False}, MODERN - {'VIRTIO_RING_F_EVENT_IDX'}),
    ('', {'vectors': 0}, MODERN),
    ('', {'vectors': 0, **EVERYTHING}, MODERN | OOM | HINT | REPORT),
    ('', {'packed': True}, MODERN | PACKED),
    ('', {'packed': True, **EVERYTHING}, MODERN | PACKED | OOM | HINT | REPORT),
    ('', LEGACY, ALWAYS),
    ('', {**LEGACY, **EVERYTHING}, ALWAYS | OOM | HINT | REPORT),
    (POISONING, {}, MODERN | POISON),
    (POISONING, EVERYTHING, MODERN | OOM | HINT | REPORT | POISON),
    # No pages are reported to a host that does not know the value of free pages.
    (POISONING, NO_POISON, MODERN | HINT),
    (POISONING, {**LEGACY, **EVERYTHING}, ALWAYS | OOM | HINT | REPORT | POISON),
    (CLEARING, {}, MODERN | POISON),
    (CLEARING, EVERYTHING, MODERN | OOM | HINT | REPORT | POISON),
    (CLEARING, NO_POISON, MODERN | HINT),
]


def name(case):
    append, props, _ = case
    words = [append] if append else []
    if props.items() >= EVERYTHING.items():
        props = {k: v for k, v in props.items() if k not in EVERYTHING}
        words.append('all')
    for key, value in props.items():
        words.append({True: key, False: f'no-{key}'}.get(value)
                     if isinstance(value, bool) else f'{key}={value}')
    return ','.join(words) or 'plain'


def possible(guest, append, expected):
    """Those of the expected features that this kernel has."""
    expected = set(expected)
    if guest.lab.kernel() < (6, 1):
        expected -= {'VIRTIO_F_RING_RESET'}
    if append == POISONING and not guest.lab.poisons():
        expected -= POISON
    return expected


@pytest.fixture
def empty_port(borrow):
    """A function that starts a guest with the driver loaded, and an empty slot for a device."""
    def start(append):
        # QEMU runs the guest in one thread, since with two it fails an assertion
        # (iotlb_to_section) when devices come and go.
        guest = borrow(balloon=None, ports=1, append=append,
                       accel='tcg,thread=single')
        guest.load()
        return guest
    return start


def test_iommu(empty_port):
    """The driver refuses a device that demands translated addresses: page numbers are not."""
    guest = empty_port('')
    guest.plug(iommu_platform=True)
    guest.wait_log('device refuses features')
    assert not guest.driver_ok()
    driver = '/sys/bus/virtio/drivers/virtio_balloon'
    assert guest.try_sh(f'test -e {driver}/virtio*')[0] != 0
    guest.unplug()
    # The driver takes the next device.
    guest.plug()
    guest.wait_for(guest.driver_ok, what='driver')
    guest.unplug()


@pytest.mark.parametrize('case', CASES, ids=name)
def test_features(empty_port, case):
    append, props, expected = case
    guest = empty_port(append)
    guest.plug(**props)
    guest.wait_for(guest.driver_ok, what='driver')
    if append == POISONING and not guest.lab.poisons() and props is NO_POISON:
        # On this kernel free pages keep no value, so they may be reported.
        expected = expected | REPORT
    features = guest.features()
    if guest.lab.driver == 'stock':
        features -= {'VIRTIO_RING_F_INDIRECT_DESC'}
    assert features == possible(guest, append, expected)

    if props.get('vectors') == 0:
        lines = [line for line in guest.sh('cat /proc/interrupts').splitlines()
                 if 'virtio' in line]
        assert len(lines) == 1 and 'IO-APIC' in lines[0]

    # What was negotiated works.
    if props.keys() & {'packed', 'vectors', 'disable-modern'}:
        assert guest.stats()['total-memory'] == guest.total
    for size in 384 * MIB, 448 * MIB, 300 * MIB:
        guest.balloon(size)
        guest.wait_actual(size)
        missing = 0 if props.get('deflate-on-oom') else guest.memory - size
        total = guest.meminfo()['MemTotal']
        assert total == guest.total - missing
    guest.unplug()
    assert guest.meminfo()['MemTotal'] == guest.total

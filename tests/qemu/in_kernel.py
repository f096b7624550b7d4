# SPDX-License-Identifier: GPL-2.0-only
"""Our driver as a part of the kernel, which tools/into-kernel has laid into its sources.

Not run with the other tests: tests/check-takeover makes the kernel."""

from common.guest import MIB
from common.project import VERSION
from common.stat_names import NAMES


def test_built_in(boot):
    guest = boot()
    # There is no module of any name.
    assert guest.try_sh('grep virtio_balloon /proc/modules')[0] != 0
    assert guest.read('/sys/module/virtio_balloon/version') == VERSION
    assert set(guest.stats()) == set(NAMES)
    before = guest.meminfo()['MemTotal']
    hog = guest.hog(64)
    for size in 192 * MIB, 321 * MIB + guest.page, guest.memory:
        guest.balloon(size)
        guest.wait_actual(size)
        assert guest.meminfo()['MemTotal'] == before - (guest.memory - size)
    hog.verify()


def test_parameters(boot):
    guest = boot(append='virtio_balloon.max_stat_tag=9 virtio_balloon.take_first=pages')
    assert set(guest.stats()) == set(NAMES[:10])
    assert guest.read('/sys/module/virtio_balloon/parameters/take_first') == 'pages'
    # It takes nothing over, since it is in the other driver's place.
    assert guest.try_sh('test -e /sys/module/virtio_balloon/parameters/take_over')[0]

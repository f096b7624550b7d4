# SPDX-License-Identifier: GPL-2.0-only
"""Pages of the guest and page numbers of the host, which always stand for 4 KiB each."""

import re

import pytest

from common.buffers import EVENTS, PAGE, buffers, check_owned, check_whole_pages
from common.guest import MIB


def memory_ranges(guest):
    """The ranges of numbers of the guest's memory."""
    return [range(int(first, 16) // PAGE, (int(last, 16) + 1) // PAGE)
            for first, last in re.findall(r'^ *(\w+)-(\w+) : System RAM$',
                                          guest.sh('cat /proc/iomem'), re.M)]


@pytest.mark.anywhere
def test_numbers(boot, shows):
    """The host gets whole pages that the guest has, and later the same ones are the guest's."""
    # QEMU writes a line for each number, so the balloon is small.
    guest = boot(events=EVENTS)
    total = guest.meminfo()['MemTotal']
    memory = memory_ranges(guest)
    assert sum(map(len, memory)) * PAGE > guest.memory * 0.9
    hog = guest.hog(128)
    guest.load()
    for given in 24 * MIB + 3 * guest.page, guest.page, 9 * MIB, 0:
        guest.balloon(guest.memory - given)
        guest.wait_actual(guest.memory - given)
        assert guest.meminfo()['MemTotal'] == total - given
        sent = buffers(guest)
        check_whole_pages(sent, guest.page)
        owned = check_owned(sent)
        assert len(owned) * PAGE == given
        assert all(any(number in part for part in memory) for number in owned)
    hog.verify()
    shows('page numbers are whole pages of the guest, and the same come back', True)


@pytest.mark.anywhere
def test_targets_between_pages(borrow, shows):
    """What the host wants may be a part of a page. Then the whole page goes into the balloon."""
    guest = borrow()
    guest.load()
    for wanted in PAGE, guest.page - PAGE, 32 * MIB + PAGE, 32 * MIB + guest.page // 2, 1:
        given = -(-(wanted // PAGE * PAGE) // guest.page) * guest.page
        guest.balloon(guest.memory - wanted)
        guest.wait_actual(guest.memory - given)
        assert guest.meminfo()['MemTotal'] == guest.total - given
    shows('targets between two pages', True)

# SPDX-License-Identifier: GPL-2.0-only
"""A guest that runs out of memory: the balloon gives pages back, or a process is killed."""

import re
import time

import pytest

from common.guest import MIB

TARGET = 128 * MIB
HOG = 160               # MiB, more than a guest of TARGET has


def oom_kills(guest):
    return len(re.findall(r'Out of memory: Killed process \d+ \(hog\)',
                          guest.log()))


def inflated(boot, deflate_on_oom):
    guest = boot(balloon={'deflate-on-oom': deflate_on_oom})
    guest.load()
    assert ('VIRTIO_BALLOON_F_DEFLATE_ON_OOM' in guest.features()
            ) == deflate_on_oom
    guest.balloon(TARGET)
    guest.wait_actual(TARGET)
    return guest


@pytest.mark.anywhere
def test_the_balloon_gives(boot, shows, survives):
    guest = inflated(boot, True)
    hog = guest.hog(HOG)
    assert guest.actual() > TARGET
    assert guest.actual() < guest.memory
    hog.verify()
    # When inflation is resumed, it only takes what is free. The stock driver does not resume it
    # by itself.
    hog.churn()
    if guest.lab.driver == 'ours':
        sizes = [guest.actual()]
        guest.wait_for(lambda: sizes.append(guest.actual()) or sizes[-1] < max(sizes),
                       what='inflation to be resumed')
    hog.verify()
    assert guest.actual() > TARGET
    # The driver still follows the target. The host does not have to set it again.
    hog.kill()
    if guest.lab.driver == 'stock':
        # The stock driver does nothing until the host sets the target again.
        time.sleep(8)
        assert guest.actual() > TARGET
        guest.balloon(TARGET)
    guest.wait_actual(TARGET)
    shows('gives back on OOM instead of a process', True)
    survives('OOM: the balloon gives, and grows again by itself', guest.lab.driver == 'ours')
    assert not oom_kills(guest)
    hog = guest.hog(HOG)
    hog.verify()
    assert not oom_kills(guest)
    guest.unload()
    hog.verify()
    assert guest.actual() == guest.memory


@pytest.mark.ours
def test_inflation_is_resumed_gently(boot):
    guest = inflated(boot, True)
    # These are called once for each batch of pages that leaves the balloon or joins it.
    guest.trace('balloon_page_list_dequeue', 'balloon_page_list_enqueue')
    guest.hog(HOG).kill()
    # If that took long, inflation has already ended again.
    guest.wait_actual(TARGET)
    oom = guest.trace_times('balloon_page_list_dequeue')[-1]
    grows = [t for t in guest.trace_times('balloon_page_list_enqueue') if t > oom]
    # What was under way when memory ran out joins it all the same: a batch that the host had, and
    # one that was just being taken.
    grows = grows[sum(t - oom < 1 for t in grows[:2]):]
    assert len(grows) > 16
    # At first there is a pause. Then there are small steps, at ever shorter intervals.
    assert grows[0] - oom > 4.5
    assert grows[1] - grows[0] > 0.4
    assert grows[15] - grows[0] > 2


def test_the_process_gives(boot):
    guest = inflated(boot, False)
    # The shell has to be idle when the victim is killed. For some time mm takes the victim for
    # gone although its pages are not free yet. If the shell wanted a page then, nothing would be
    # left to kill, and the kernel would panic. Asking for statistics takes no page.
    pid = guest.sh(f'sh -c "sleep 2; exec hog {HOG}" >/dev/null 2>&1 & echo $!').strip()
    guest.wait_log(rf'Out of memory: Killed process {pid} \(hog\)')
    guest.wait_for(lambda: guest.stats()['free-memory'] > 32 * MIB, what="the victim's memory")
    assert guest.actual() == TARGET
    guest.hog(8).verify()
    assert guest.actual() == TARGET
    assert oom_kills(guest) == 1
    if guest.lab.has_pressure():
        assert guest.stats()['oom-kills'] == 1

# SPDX-License-Identifier: GPL-2.0-only
"""A guest that runs out of memory: who gives, the balloon or a process."""

import re
import time

import pytest

from guest import MIB

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


def test_the_balloon_gives(boot, shows, survives):
    guest = inflated(boot, True)
    hog = guest.hog(HOG)
    assert guest.actual() > TARGET
    assert guest.actual() < guest.memory
    hog.verify()
    # Inflation, when it is resumed, takes only what is free. The stock driver's is not, by itself.
    hog.churn()
    if guest.lab.driver == 'ours':
        sizes = [guest.actual()]
        guest.wait_for(lambda: sizes.append(guest.actual()) or sizes[-1] < max(sizes),
                       what='inflation to be resumed')
    hog.verify()
    assert guest.actual() > TARGET
    # Nobody has to ask for what was wanted before.
    hog.kill()
    if guest.lab.driver == 'stock':
        # It stays where the OOM has left it, until the host asks again.
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
    # Once for each batch of pages that leaves the balloon, or joins it.
    guest.trace('balloon_page_list_dequeue', 'balloon_page_list_enqueue')
    guest.hog(HOG).kill()
    # If that took long, inflation is over again.
    guest.wait_actual(TARGET)
    oom = guest.trace_times('balloon_page_list_dequeue')[-1]
    grows = [t for t in guest.trace_times('balloon_page_list_enqueue') if t > oom]
    assert len(grows) > 16
    # First a pause, then small steps that follow one another ever sooner.
    assert grows[0] - oom > 4.5
    assert grows[1] - grows[0] > 0.4
    assert grows[15] - grows[0] > 2


def test_the_process_gives(boot):
    guest = inflated(boot, False)
    # The shell is at rest by then: mm takes a victim for reaped some time before its pages
    # are free, and who wants one meanwhile has nobody left to be killed for it. Asking for
    # statistics takes no page.
    pid = guest.sh(f'sh -c "sleep 2; exec hog {HOG}" >/dev/null 2>&1 & echo $!').strip()
    guest.wait_log(rf'Out of memory: Killed process {pid} \(hog\)')
    guest.wait_for(lambda: guest.stats()['free-memory'] > 32 * MIB, what="the victim's memory")
    assert guest.actual() == TARGET
    guest.hog(8).verify()
    assert guest.actual() == TARGET
    assert oom_kills(guest) == 1
    if guest.lab.has_pressure():
        assert guest.stats()['oom-kills'] == 1

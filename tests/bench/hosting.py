# SPDX-License-Identifier: GPL-2.0-only
"""What the host pays and wins: its CPU time, its huge pages, pages of hugetlbfs.

Host memory is in huge pages where QEMU asks for them, as it does by default."""

import time

from common import hostram
from common.guest import MIB, GuestError, start_guest

GIB = 1024 * MIB
SMP = {'cpus': 2, 'append': 'init_on_alloc=0'}
REPORTING = {'free-page-reporting': True}
MEMORY, TOUCHED, BALLOON = 2560, 2150, 1536     # MiB
# Without this share of what the guest has touched in huge pages, the host has none to lose.
HOST_HAS = 0.8
HUGETLB, HUGETLB_TOUCHED, HUGETLB_BALLOON = 1536, 1280, 512     # MiB
SOON = 1                # seconds after the target is reached
ATTEMPTS = 5
# mm's worker reports what is free. The first time is two seconds after a block was freed.
WORKER = 'page_reporting_process'


def inflate(guest, mib):
    size = guest.memory - mib * MIB
    guest.balloon(size)
    guest.wait_actual(size, 300)


def round_trip(lab, new_directory, balloon):
    """Touch memory, inflate, deflate, touch again. Returns what the host paid for it."""
    hostram.check_transparent()
    guest = start_guest(lab, new_directory, memory=MEMORY, balloon=balloon, **SMP)
    guest.load()
    pid = guest.proc.pid
    hog = guest.hog(TOUCHED, 300)
    before = hostram.huge(pid)
    if before < HOST_HAS * TOUCHED * MIB:
        raise hostram.HostError(f'the host gave huge pages for {before // MIB} MiB only, of '
                                f'{TOUCHED} that the guest uses')
    hog.kill()

    seconds, splits = hostram.main_thread_seconds(pid), hostram.splits()
    inflate(guest, BALLOON)
    seconds, splits = hostram.main_thread_seconds(pid) - seconds, hostram.splits() - splits

    inflate(guest, 0)
    hog = guest.hog(TOUCHED, 300)
    after = hostram.huge(pid)
    guest.check_log()
    guest.close()
    gib = BALLOON * MIB / GIB
    return {'cpu': seconds / gib, 'splits': splits / gib, 'kept': after / before}


def reporting(lab, new_directory):
    """With free page reporting, so that the host may be told of whole blocks."""
    return {f'reporting, {name}': value
            for name, value in round_trip(lab, new_directory, REPORTING).items()}


def silent(lab, new_directory):
    """Without free page reporting."""
    return {'silent, kept': round_trip(lab, new_directory, {})['kept']}


def come_back(guest):
    """Touch memory, free it and inflate. Return how many pages the host has soon more, or None.

    Only what the balloon gives back is of interest. What mm's own reports give back comes later
    than the second if the guest is fast enough. If it comes earlier, counting ends there."""
    guest.hog(HUGETLB_TOUCHED, 300).kill()
    before, reports = hostram.free_hugetlb(), guest.traced(WORKER)
    inflate(guest, HUGETLB_BALLOON)
    end, found = time.monotonic() + SOON, None
    while time.monotonic() < end and (found or 0) < HUGETLB_BALLOON * MIB // hostram.HUGE:
        free = hostram.free_hugetlb()
        if guest.traced(WORKER) != reports:
            break
        found = free - before
    return found


def hugetlb(lab, new_directory):
    """A guest whose memory is in hugetlbfs, which can free whole pages of 2 MiB only.

    Its clock counts instructions, so that mm does not report early because the host is slow."""
    with hostram.pool(HUGETLB * MIB // hostram.HUGE):
        guest = start_guest(
            lab, new_directory, memory=HUGETLB, balloon=REPORTING, **SMP,
            accel='tcg,thread=single', qemu_args=(
                '-icount', 'shift=0,sleep=on', '-machine', 'memory-backend=huge', '-object',
                f'memory-backend-memfd,id=huge,size={HUGETLB}M,hugetlb=on,hugetlbsize=2M'))
        try:
            guest.load()
            guest.trace(WORKER)
            for _ in range(ATTEMPTS):
                found = come_back(guest)
                if found is not None:
                    break
                inflate(guest, 0)
            else:
                raise GuestError(f'mm reported free memory before the balloon had its size, '
                                 f'{ATTEMPTS} times')
            guest.check_log()
        finally:
            guest.close()
    return {'hugetlb': found}

# SPDX-License-Identifier: GPL-2.0-only
"""A guest crashes, and a capture kernel then saves a dump of its memory."""

import re
import shutil
import struct
import subprocess

import pytest

from common.guest import EVENTS_OF_QUEUES, GuestError, HINT_QUEUE, MIB, NO_KMEMLEAK
from common.lab import kexec

MEMORY = 640            # MiB
CAPTURE = 160           # MiB of it that are reserved for the capture kernel
# The balloon is then larger than all memory of the capture kernel. The first kernel can
# inflate it.
TARGET = 320 * MIB
DISK = 1024             # MiB, with room for the dump
BALLOON = {'free-page-hint': True}
# Seconds for the capture kernel to read all memory, page by page, under emulation.
DUMP_TIMEOUT = 300

pytestmark = pytest.mark.option('KEXEC_FILE')


@pytest.fixture
def disk(lab, tmp_path):
    """A disk with kexec and all that a capture kernel is loaded from."""
    content, disk = tmp_path / 'content', tmp_path / 'disk'
    shutil.copytree(kexec().parent, content)
    shutil.copy(lab.bzimage, content / 'vmlinuz')
    shutil.copy(lab.initramfs, content / 'initramfs')
    subprocess.run(['/sbin/mke2fs', '-q', '-t', 'ext4', '-d', content, disk, f'{DISK}M'],
                   check=True)
    return disk


def ranges(guest, name):
    """The ranges of the guest's memory that /proc/iomem has under this name."""
    return [(int(begin, 16), int(end, 16) + 1) for begin, end in re.findall(
        rf'^ *(\w+)-(\w+) : {name}$', guest.sh('cat /proc/iomem'), re.M)]


def to_dump(guest):
    """The ranges that a dump must have: all memory but the capture kernel's and the first MiB,
    which mm does not use."""
    (begin, end), = ranges(guest, 'Crash kernel')
    assert end - begin == CAPTURE * MIB
    return [part for first, last in ranges(guest, 'System RAM')
            for part in ((max(first, MIB), min(last, begin)), (max(first, MIB, end), last))
            if part[0] < part[1]]


def crash(guest):
    """Crash a guest with a large balloon, and wait for the capture kernel to boot."""
    args = f'{guest.machine.kernel_args()} {guest.lab.append}{NO_KMEMLEAK} nr_cpus=1 reset_devices'
    guest.mount_disk()
    guest.sh('/mnt/kexec -s -p /mnt/vmlinuz --initrd=/mnt/initramfs '
             f'--command-line="{args}" && umount /mnt')
    guest.load()
    guest.balloon(TARGET)
    guest.wait_actual(TARGET)
    guest.send('echo c >/proc/sysrq-trigger')
    guest.wait_ready()
    guest.sh('test -e /proc/vmcore')
    assert guest.forgive('sysrq triggered crash')


def save(guest):
    guest.mount_disk()
    guest.sh('dd if=/proc/vmcore of=/mnt/vmcore bs=1M && umount /mnt', DUMP_TIMEOUT)


def saved(disk, path):
    """The dump that the capture kernel has saved on the disk."""
    subprocess.run(['/sbin/debugfs', '-R', f'dump /vmcore {path}', disk],
                   check=True, stderr=subprocess.PIPE)
    return path.read_bytes()


ELF_HEADER = struct.Struct('<16sHHIQQQIHHHHHH')
PROGRAM_HEADER = struct.Struct('<IIQQQQQQ')
CORE, X86_64 = 4, 62
LOAD, NOTE = 1, 4


def check_dump(dump, memory):
    """The dump is a complete core file, with all of this memory in it. Return its notes."""
    ident, kind, machine, _, _, at, _, _, _, size, count, *_ = ELF_HEADER.unpack_from(dump)
    assert (ident[:6], kind, machine) == (b'\x7fELF\x02\x01', CORE, X86_64)
    assert size == PROGRAM_HEADER.size
    found, ends = [], []
    for i in range(count):
        what, _, offset, _, physical, length, _, _ = PROGRAM_HEADER.unpack_from(
            dump, at + i * size)
        ends.append(offset + length)
        if what == LOAD:
            found.append((physical, physical + length))
        else:
            assert what == NOTE
            notes = dump[offset:offset + length]
    assert max(ends) == len(dump)
    # The dump has the kernel itself twice, so there is one range more.
    assert set(memory) <= set(found)
    return notes


def config_interrupts(guest):
    """How often devices have raised an interrupt for a change of their configuration."""
    return sum(int(line.split()[1]) for line in guest.sh('cat /proc/interrupts').splitlines()
               if line.endswith('-config'))


def check_not_hinted(guest, boot):
    """When the host migrates the guest, it asks for hints of free pages, and gets none."""
    target = boot(memory=MEMORY, balloon=BALLOON, incoming=guest)
    heard, told = config_interrupts(guest), guest.notified(HINT_QUEUE)
    guest.begin_migration(target)
    guest.wait_for(lambda: config_interrupts(guest) > heard, what='the host to ask')
    # The driver answers a request that comes later, so it has handled the first one.
    guest.stats()
    assert guest.notified(HINT_QUEUE) == told
    guest.cancel_migration(target)


def test_dump(boot, disk, tmp_path, survives):
    """In the capture kernel our driver does not inflate, so there is memory to save the dump."""
    guest = boot(memory=MEMORY, disks=[disk], append=f'crashkernel={CAPTURE}M', balloon=BALLOON,
                 events=EVENTS_OF_QUEUES)
    release = guest.sh('uname -r').strip()
    memory = to_dump(guest)
    # This has to be found in the dump.
    secret = guest.sh('head -c 16 /dev/urandom | xxd -p | tee /secret').strip()
    crash(guest)
    guest.load()
    survives('crash: the capture kernel saves the dump', guest.lab.driver == 'ours')
    if guest.lab.driver == 'stock':
        with pytest.raises(GuestError):
            save(guest)
        guest.wait_exit()
        assert 'System is deadlocked on memory' in guest.log()
        guest.console.write_text('')
        return

    guest.wait_log('capture kernel')
    guest.wait_actual(guest.memory)
    check_not_hinted(guest, boot)
    save(guest)
    assert guest.actual() == guest.memory
    assert guest.log().count('capture kernel') == 1
    guest.send('poweroff -f')
    assert guest.wait_exit() == 0
    dump = saved(disk, tmp_path / 'vmcore')
    notes = check_dump(dump, memory)
    assert f'OSRELEASE={release}\n'.encode() in notes
    assert secret.encode() in dump
    assert b'sysrq: Trigger a crash' in dump

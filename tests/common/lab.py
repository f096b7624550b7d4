# SPDX-License-Identifier: GPL-2.0-only
"""What guests are made of: QEMU, a kernel, an initramfs with the driver."""

import lzma
import pathlib
import struct

from common.guest import BUILTIN, Lab
from common.machine import PC
from common.project import TOP, answer

SCRIPTS = TOP / 'tests/lab'
# MiB of a guest's memory for a kernel's sanitisers. This is more than they take.
SANITISERS = 192
# Factor for all timeouts on a kernel that has KASAN or KCSAN.
PATIENCE = 8
# The same on a machine of another architecture, which QEMU emulates slowly.
FOREIGN_PATIENCE = 3
# Arguments of build_kernel(): a kernel that has the driver built in, and boots a whole Debian.
BUILT_IN = 'guest', 'builtin', 'systemd'


def qemu(machine=PC):
    """The path of a QEMU for this machine that knows all 16 statistics."""
    return answer(SCRIPTS / 'fetch', 'qemu', machine.emulator)


def kexec():
    """The path of a program kexec, in a directory with all that it needs."""
    return pathlib.Path(answer(SCRIPTS / 'fetch', 'kexec'))


def build_module(*kernel):
    """The path of our module for the kernel in this tree, or for Debian's."""
    return pathlib.Path(answer(SCRIPTS / 'build-module', *kernel))


def build_kernel(*args):
    """Where the test kernel is that tests/kernel/build makes from these arguments."""
    return pathlib.Path(answer(TOP / 'tests/kernel/build', *args))


def uncompressed(bzimage, path):
    """Unpack a kernel image of a PC, which saves each guest 4 s of unpacking under emulation.

    QEMU boots the result if the kernel has CONFIG_PVH. Debian's images are compressed with
    xz. Others are left as they are."""
    image = bzimage.read_bytes()
    setup_sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from('<II', image, 0x248)
    payload = image[(setup_sectors + 1) * 512 + offset:][:length]
    try:
        path.write_bytes(lzma.LZMADecompressor().decompress(payload))
    except lzma.LZMAError:
        return bzimage
    return path


def has_option(kernel, option):
    """Whether the kernel in a tree, ours or a package's, was made with this option."""
    kernel = pathlib.Path(kernel)
    configs = [*kernel.glob('.config'), *kernel.glob('boot/config-*')]
    return f'CONFIG_{option}=y' in configs[0].read_text().splitlines()


def kernel_tree(kernel=None):
    """Where the kernel is. The default is Debian's, which is downloaded."""
    return pathlib.Path(kernel or answer(SCRIPTS / 'fetch', 'kernel'))


def release(tree):
    """The release of the kernel in a tree, as uname -r says."""
    return next(tree.glob('lib/modules/*')).name


def make_lab(driver, module, directory, kernel=None, lines=None, machine=PC, programs=None):
    """Put together a Lab in this directory. The default kernel is Debian's.

    programs    a directory with busybox and the programs of tests/guest, where the machine is
                of another architecture
    """
    kernel = kernel_tree(kernel)
    bzimage = next(kernel.glob('boot/vmlinu[xz]*'))
    vmlinux = kernel / 'vmlinux'
    kasan = has_option(kernel, 'KASAN')
    slow = kasan or has_option(kernel, 'KCSAN')
    # 6.1 with KASAN or KCSAN does not boot by PVH: it dies before it prints anything.
    if slow or machine is not PC:
        vmlinux = bzimage
    elif not vmlinux.exists():
        vmlinux = uncompressed(bzimage, directory / 'vmlinux')
    initramfs = directory / 'initramfs'
    args = ['-k', kernel, '-o', initramfs, '-x', ' '.join(machine.modules)]
    if programs:
        args += ['-p', programs]
    if driver == 'ours':
        args += ['-m', module]
    answer(SCRIPTS / 'make-initramfs', *args)
    # SLUB's own checks are switched off with KASAN, which finds the same and more. The time
    # stamp counter is the only clock that can be read without leaving the guest.
    append = 'rootfstype=ramfs'
    patience = PATIENCE if slow else 1 if machine is PC else FOREIGN_PATIENCE
    if kasan:
        append += ' slub_debug=-'
    if slow:
        append += ' clocksource=tsc tsc=reliable'
    return Lab(qemu=qemu(machine), machine=machine, vmlinux=vmlinux, bzimage=bzimage,
               initramfs=initramfs, driver=driver, append=append,
               module=pathlib.Path(module).stem if driver == 'ours' else BUILTIN,
               builtin=has_option(kernel, 'VIRTIO_BALLOON'),
               reserve=machine.reserve + (SANITISERS if kasan else 0), patience=patience,
               release=release(kernel), lines=lines)

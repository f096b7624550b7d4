# SPDX-License-Identifier: GPL-2.0-only
"""What guests are made of: QEMU, a kernel, an initramfs with the driver."""

import lzma
import pathlib
import struct
import subprocess

from guest import Lab

TOP = pathlib.Path(__file__).resolve().parents[2]
# What they take of a guest's memory, in MiB, more than enough.
SANITISERS = 192
# And what they and KCSAN take of its time, to others'.
PATIENCE = 8
LAB = TOP / 'tests' / 'lab'


def run(*args):
    """Run a script of the lab: its words go to the terminal, answer back."""
    if TOP in pathlib.Path(args[0]).parents:
        args = ['sh', *args]        # whatever its mode bits
    return subprocess.run(args, check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()


def uncompressed(bzimage, path):
    """Unpack a kernel image, which saves each guest 4 s of emulated xz.

    QEMU boots what comes out if it has CONFIG_PVH. Other compressions than
    xz, which is Debian's, are left as they are."""
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
    """Where the kernel is; Debian's by default."""
    return pathlib.Path(kernel or run(LAB / 'fetch', 'kernel'))


def release(tree):
    """Of the kernel in a tree, as uname -r says."""
    return next(tree.glob('lib/modules/*')).name


def make_lab(driver, module, directory, kernel=None, lines=None):
    """Put together a Lab in this directory; kernel is Debian's by default."""
    kernel = kernel_tree(kernel)
    bzimage = next(kernel.glob('boot/vmlinuz*'))
    vmlinux = kernel / 'vmlinux'
    kasan = has_option(kernel, 'KASAN')
    slow = kasan or has_option(kernel, 'KCSAN')
    if slow:
        vmlinux = bzimage       # 6.1 enters itself by PVH with either, and dies before it says so
    elif not vmlinux.exists():
        vmlinux = uncompressed(bzimage, directory / 'vmlinux')
    initramfs = directory / 'initramfs'
    args = ['-k', kernel, '-o', initramfs]
    if driver == 'ours':
        args += ['-m', module]
    run(LAB / 'initramfs', *args)
    # KASAN finds all that SLUB's own checks find; and of the clocks, the time stamp
    # counter alone can be read without leaving the guest.
    append = 'rootfstype=ramfs'
    if kasan:
        append += ' slub_debug=-'
    if slow:
        append += ' clocksource=tsc tsc=reliable'
    return Lab(qemu=run(LAB / 'fetch', 'qemu'), vmlinux=vmlinux, bzimage=bzimage,
               initramfs=initramfs, driver=driver, append=append,
               reserve=SANITISERS if kasan else 0, patience=PATIENCE if slow else 1,
               release=release(kernel), lines=lines)

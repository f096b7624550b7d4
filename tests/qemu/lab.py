# SPDX-License-Identifier: GPL-2.0-only
"""What guests are made of: QEMU, a kernel, an initramfs with the driver."""

import lzma
import pathlib
import struct
import subprocess

from guest import Lab

TOP = pathlib.Path(__file__).resolve().parents[2]
LAB = TOP / 'tests' / 'lab'


def run(*args):
    """Run a script of the lab: its words go to the terminal, answer back."""
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


def make_lab(driver, module, directory, kernel=None):
    """Put together a Lab in this directory; kernel is Debian's by default."""
    kernel = kernel or run(LAB / 'fetch', 'kernel')
    bzimage = next(pathlib.Path(kernel).glob('boot/vmlinuz*'))
    initramfs = directory / 'initramfs'
    args = ['-k', kernel, '-o', initramfs]
    if driver == 'ours':
        args += ['-m', module]
    run(LAB / 'initramfs', *args)
    return Lab(qemu=run(LAB / 'fetch', 'qemu'),
               vmlinux=uncompressed(bzimage, directory / 'vmlinux'),
               bzimage=bzimage, initramfs=initramfs, driver=driver,
               release=next(pathlib.Path(kernel).glob('lib/modules/*')).name)

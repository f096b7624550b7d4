# SPDX-License-Identifier: GPL-2.0-only
"""The kernels that are measured, and what guests on them are made of."""

import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'distro'))
from common.lab import build_module, make_lab       # noqa: E402
from system import System, suites                   # noqa: E402

DEBIAN_12 = '6.1'
DEFAULT = ['6.1', '7.3']
KNOWN = sorted({DEBIAN_12, *suites().values()})


def labs(kernel, work):
    """What guests on this kernel are made of, for each driver."""
    work.mkdir()
    if kernel == DEBIAN_12:
        tree, module = None, build_module()
    else:
        name = next(name for name, version in suites().items() if version == kernel)
        (work / 'system').mkdir()
        system = System(name, work / 'system')
        try:
            tree, module = system.tree, system.build_module(work / 'virtio_balloon.ko')
        finally:
            system.close()
    found = {}
    for driver in 'stock', 'ours':
        (work / driver).mkdir()
        found[driver] = make_lab(driver, module, work / driver, kernel=tree)
    return found


def add_arguments(parser):
    parser.add_argument('kernels', nargs='*', metavar='KERNEL', default=DEFAULT,
                        help=f'of {", ".join(KNOWN)}')


def check_arguments(parser, args):
    for kernel in args.kernels:
        if kernel not in KNOWN:
            parser.error(f'{kernel} is not one of {", ".join(KNOWN)}')

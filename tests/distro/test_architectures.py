# SPDX-License-Identifier: GPL-2.0-only
"""Kernels of Debian's other architectures: compiled by a cross compiler, and linked.

No compile check can tell whether a kernel exports what the driver uses. Modpost can,
and Module.symvers says what it goes by. Nothing is booted."""

import pytest

from system import CLONE, flavours

MODULE = f'{CLONE}/virtio_balloon.ko'
# No kernel exports it: ppc64's loader of modules puts the module's own there.
LOADERS = {'.TOC.'}


@pytest.fixture(scope='module', params=[
    pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in flavours()])
def name(request):
    return request.param


def test_links(system, record_property):
    """Without a warning, be it the compiler's or modpost's."""
    record_property('release', system.release)
    _, tools, pages = flavours()[system.name]
    build = f'/lib/modules/{system.release}/build'
    # What the flavour is in the table for.
    assert f'CONFIG_PAGE_SIZE_{pages}=y' in system.sh(f'cat {build}/.config').splitlines()

    output = system.sh(f'make -C {CLONE} KDIR={build} W=1 2>&1')
    assert 'warning' not in output.lower(), output
    # It is for that kernel, and not for this machine's.
    assert system.sh(f'modinfo -F vermagic {MODULE}').split()[0] == system.release

    # Modpost passes symbols over that it knows of an architecture, and only warns
    # where it has no list at all. So look once more.
    exported = {line.split('\t')[1] for line in
                system.sh(f'cat {build}/Module.symvers').splitlines()}
    undefined = set(system.sh(f'{tools}-nm -u --format=just-symbols {MODULE}').split())
    assert undefined, 'a module that uses nothing of its kernel'
    assert undefined - exported - LOADERS == set()

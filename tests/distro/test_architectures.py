# SPDX-License-Identifier: GPL-2.0-only
"""Builds and links the module for kernels of other architectures, with cross compilers.

No compile check can tell whether a kernel exports what the driver uses. Modpost can: it reads
Module.symvers of that kernel. Nothing is booted.
"""

import pytest

from system import CLONE, flavours

MODULE = f'{CLONE}/virtio_balloon.ko'
# The module loader of ppc64 provides it, so no kernel exports it.
LOADERS = {'.TOC.'}


@pytest.fixture(scope='module', params=[
    pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in flavours()])
def name(request):
    return request.param


def test_links(system, record_property):
    """Neither the compiler nor modpost warns, and the kernel exports all that the module uses."""
    record_property('release', system.release)
    _, tools, pages, _ = flavours()[system.name]
    build = f'/lib/modules/{system.release}/build'
    # The flavour is in the table because of its page size.
    assert f'CONFIG_PAGE_SIZE_{pages}=y' in system.sh(f'cat {build}/.config').splitlines()

    output = system.sh(f'make -C {CLONE} KDIR={build} W=1 2>&1')
    assert 'warning' not in output.lower(), output
    # The module is for that kernel, and not for the kernel of this machine.
    assert system.sh(f'modinfo -F vermagic {MODULE}').split()[0] == system.release

    # Modpost ignores some symbols of an architecture, and only warns if there is no
    # Module.symvers. So the test compares the symbols itself, too.
    exported = {line.split('\t')[1] for line in
                system.sh(f'cat {build}/Module.symvers').splitlines()}
    undefined = set(system.sh(f'{tools}-nm -u --format=just-symbols {MODULE}').split())
    assert undefined, 'a module that uses nothing of its kernel'
    assert undefined - exported - LOADERS == set()

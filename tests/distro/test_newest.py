# SPDX-License-Identifier: GPL-2.0-only
"""The newest kernel of Debian's unstable and experimental, which may be newer than those supported.

Run by make check-kernels KVER=unstable. The guest tests boot the kernel."""

import pytest

import test_install
from common.guest import version
from common.project import KERNELS, LAST_KERNEL
from system import CLONE
from test_declined import check_nothing


@pytest.fixture(scope='module', params=[
    pytest.param('newest', marks=pytest.mark.xdist_group('newest'))])
def name(pytestconfig):
    return pytestconfig.getoption('newest')


def test_build(system, record_property):
    """By plain make, which tries every kernel."""
    record_property('release', system.release)
    test_install.test_build(system)


def test_dkms(system, record_property):
    """dkms declines a kernel that is newer than those supported, and takes any other."""
    code, output = system.try_sh(f'make -C {CLONE} install KVER={system.release}')
    if version(system.release) <= LAST_KERNEL:
        assert code == 0 and not test_install.complaints(output), output
        assert system.installed(system.release) == [test_install.NAME]
        record_property('dkms', f'takes it: the driver supports {KERNELS}')
        return
    declined = f'virtio-balloon: not built for kernel {system.release}: '
    reason, = {line for line in output.splitlines() if line.startswith(declined)}
    assert code != 0 and f'supports {KERNELS}' in reason
    check_nothing(system, system.release)
    record_property('dkms', f'declines it: {reason}')

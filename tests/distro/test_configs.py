# SPDX-License-Identifier: GPL-2.0-only
"""Builds the module for kernels that are configured otherwise than Debian's.

It is built, or declined with a reason. The kernels are small configurations of the oldest
and the newest source that Debian has a package of. The kernels themselves are not built, so
the module is linked without their symbols."""

import pytest

from common.project import KERNELS
from system import CLONE

# Options on top of allnoconfig.
BASE = '''64BIT SMP MODULES EXPERT SYSFS PROC_FS PCI VIRTIO_MENU VIRTIO_PCI
MMU VM_EVENT_COUNTERS COMPACTION MIGRATION HUGETLBFS HUGETLB_PAGE PM SUSPEND
PM_SLEEP SHMEM'''.split()
MIGRATION = {'debian-12-source': 'BALLOON_COMPACTION',
             'debian-13-bpo-source': 'BALLOON_MIGRATION'}
CORE = {'debian-12-source': 'MEMORY_BALLOON', 'debian-13-bpo-source': 'BALLOON'}
SLEEP = ['SUSPEND', 'HIBERNATION', 'PM_SLEEP', 'PM']
HUGETLB = ['HUGETLBFS', 'HUGETLB_PAGE']


@pytest.fixture(scope='module', params=[
    pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in MIGRATION])
def name(request):
    return request.param


@pytest.fixture(scope='module')
def source(system):
    """The kernel's source, unpacked."""
    system.sh('mkdir /root/linux && '
              'tar -xf /usr/src/linux-source-*.tar.xz -C /root/linux --strip-components=1')
    return system


def configure(system, off, driver='m', flags=''):
    """Configure the kernel, and check that Kconfig took all options."""
    # This option depends on mm's core of balloons, which only a driver selects.
    migration = [] if driver == 'n' else [MIGRATION[system.name]]
    on = [option for option in BASE + migration if option not in off]
    lines = [f'CONFIG_{option}=y' for option in on]
    lines += [f'# CONFIG_{option} is not set' for option in off]
    lines += [f'CONFIG_VIRTIO_BALLOON={driver}']
    system.sh('cat >/root/options', '\n'.join(lines).encode())
    system.sh(f'cd /root/linux && make {flags} KCONFIG_ALLCONFIG=/root/options allnoconfig && '
              f'make {flags} -j2 modules_prepare')
    config = system.sh('cat /root/linux/.config').splitlines()
    assert [line for line in lines if line.endswith('=y')
            and line not in config] == []
    assert [option for option in off if f'CONFIG_{option}=y' in config] == []
    return config


def build(system, flags=''):
    return system.try_sh(f'rm -rf /root/build && cp -r {CLONE} /root/build && '
                         f'make -C /root/linux M=/root/build W=1 {flags} -j2 '
                         'KBUILD_MODPOST_WARN=1 modules 2>&1')


@pytest.mark.parametrize('off', [
    pytest.param([], id='all'),
    pytest.param(['MIGRATION_OF_BALLOON'], id='migration'),
    pytest.param(['VM_EVENT_COUNTERS'], id='events'),
    pytest.param(HUGETLB, id='hugetlb'),
    pytest.param(SLEEP, id='sleep'),
    pytest.param(['MIGRATION_OF_BALLOON', 'VM_EVENT_COUNTERS', *HUGETLB, *SLEEP], id='none'),
])
@pytest.mark.parametrize('flags', ['', 'LLVM=1'], ids=['gcc', 'clang'])
def test_builds(source, off, flags):
    off = [MIGRATION[source.name] if option == 'MIGRATION_OF_BALLOON' else option
           for option in off]
    configure(source, off, flags=flags)
    code, output = build(source, flags)
    # The word in capitals is modpost's, which misses the kernel's symbols.
    assert code == 0 and 'warning: ' not in output, output


def test_no_core(source):
    """The kernel has no core of balloons, since no driver selects it."""
    config = configure(source, [], driver='n')
    assert f'CONFIG_{CORE[source.name]}=y' not in config
    code, output = build(source)
    assert code != 0
    assert 'no balloon core' in output and 'CONFIG_VIRTIO_BALLOON=m' in output


def test_no_reporting(source):
    """The kernel has a core of balloons, but no free page reporting."""
    configure(source, [])
    source.sh('sed -i "/CONFIG_PAGE_REPORTING/d" /root/linux/include/generated/autoconf.h')
    code, output = build(source)
    assert code != 0 and 'no free page reporting' in output


@pytest.mark.parametrize('planted, reason', [
    # The first is as in 5.8, and the second as in a future kernel.
    ('s/virtio_cread_le/virtio_cread_old/', 'too old'),
    ('s/PGSCAN_KSWAPD/PGSCAN_MOVED/', 'where this kernel counts reclaim is unknown'),
    ('s/int check_sentinel_true(void) {/& no_such_name();/', 'what must compile does not'),
    ('s/balloon_compat_no_such_name()/0/', 'what must not compile does'),
], ids=['old', 'unknown', 'sentinel-true', 'sentinel-false'])
def test_facts(source, planted, reason):
    """A kernel that is unknown in one respect ends the build. It is not taken for an old one."""
    configure(source, [])
    # Only the file with the checks contains what is replaced.
    source.sh(f'cp -r {CLONE}/src/compat /root/compat && '
              f'sed -i "{planted}" {CLONE}/src/compat/*.c && '
              f'! diff -rq /root/compat {CLONE}/src/compat')
    try:
        code, output = build(source)
    finally:
        source.sh(f'cp /root/compat/* {CLONE}/src/compat && rm -r /root/compat')
    assert code != 0 and reason in output
    if 'sentinel' not in planted and 'no_such_name' not in planted:
        assert KERNELS in output

# SPDX-License-Identifier: GPL-2.0-only
"""Kernels with other configurations than Debian's: built, or declined with a reason.

On a small configuration of the oldest and the newest source that is to be had as
such. Linked without the kernel's symbols, as nobody builds these kernels."""

import pytest

from system import CLONE

# On top of allnoconfig.
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
    """Prepare the kernel, and see that Kconfig did what it was told."""
    # Which is there only with the core, and that only with a driver.
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
    # In capitals it is modpost, which misses the kernel's symbols.
    assert code == 0 and 'warning: ' not in output, output


def test_no_core(source):
    """No driver selected what mm has for a balloon."""
    config = configure(source, [], driver='n')
    assert f'CONFIG_{CORE[source.name]}=y' not in config
    code, output = build(source)
    assert code != 0
    assert 'no balloon core' in output and 'CONFIG_VIRTIO_BALLOON=m' in output


def test_no_reporting(source):
    """It did, but nothing selected page reporting."""
    configure(source, [])
    source.sh('sed -i "/CONFIG_PAGE_REPORTING/d" /root/linux/include/generated/autoconf.h')
    code, output = build(source)
    assert code != 0 and 'no free page reporting' in output


@pytest.mark.parametrize('planted, reason', [
    # As in 5.8, and as in a kernel that nobody has seen yet.
    ('s/virtio_cread_le/virtio_cread_old/', 'too old'),
    ('s/PGSCAN_KSWAPD/PGSCAN_MOVED/', 'where this kernel counts reclaim is unknown'),
    ('s/int check_sentinel_true(void) {/& no_such_name();/', 'what must compile does not'),
    ('s/balloon_compat_no_such_name()/0/', 'what must not compile does'),
], ids=['old', 'unknown', 'sentinel-true', 'sentinel-false'])
def test_facts(source, planted, reason):
    """What nothing fits ends the build, and never passes for an old kernel."""
    configure(source, [])
    source.sh(f'cp -r {CLONE}/src/compat/facts.c /root/facts.c && '
              f'sed -i "{planted}" {CLONE}/src/compat/facts.c && '
              f'! cmp -s /root/facts.c {CLONE}/src/compat/facts.c')
    try:
        code, output = build(source)
    finally:
        source.sh(f'cp /root/facts.c {CLONE}/src/compat/facts.c')
    assert code != 0 and reason in output
    if 'sentinel' not in planted and 'no_such_name' not in planted:
        assert '5.10 to 7.3' in output

# SPDX-License-Identifier: GPL-2.0-only
"""Options of the guest tests, and guests whose logs are checked when a test has ended."""

import pathlib

import pytest

from common.guest import FIRST_WITH_PRESSURE, GuestError, start_guest, version
from common.lab import has_option, kernel_tree, make_lab, release
from common.machine import MIB, OTHERS, PC
from common.project import TOP
from common.qmp import QMPError


def pytest_addoption(parser):
    group = parser.getgroup('virtio_balloon')
    group.addoption('--driver', choices=('ours', 'stock'), default='ours',
                    help="module to load in the guest (default: ours)")
    group.addoption('--module', default=TOP / 'virtio_balloon.ko',
                    help='our module (default: the one make built)')
    group.addoption('--kernel', metavar='TREE',
                    help="unpacked kernel with boot/ and lib/modules/ "
                         "(default: Debian's, fetched)")
    group.addoption('--machine', choices=OTHERS,
                    help='machine of another architecture, whose --kernel, --module and '
                         '--programs it takes (default: a PC)')
    group.addoption('--programs', metavar='DIRECTORY', type=pathlib.Path,
                    help='busybox and the programs of tests/guest for the machine (default: '
                         'made for this one)')
    group.addoption('--lines', metavar='DIRECTORY', type=pathlib.Path,
                    help='keep in it which lines of the driver each guest ran, where the '
                         'kernel counts that')


def pytest_configure(config):
    config.addinivalue_line(
        'markers', 'ours: about something that the stock driver does not have')
    config.addinivalue_line(
        'markers', 'option(name): asks for a kernel that was made with it')
    config.addinivalue_line(
        'markers', 'pressure: asks for a driver that sends the statistics of memory pressure')
    config.addinivalue_line(
        'markers', 'anywhere: runs on machines of other architectures, too')
    config.addinivalue_line(
        'markers', 'sleeps: asks for a kernel that can suspend')
    config.addinivalue_line(
        'markers', 'hints: asks for a machine whose QEMU can migrate a guest that gives hints')
    config.addinivalue_line(
        'markers', "compacts: asks for a machine where a guest has more than one of mm's page blocks")
    config.addinivalue_line(
        'markers', 'bus(name): asks for a machine whose devices are on this bus')


def machine_of(config):
    return OTHERS.get(config.getoption('machine'), PC)


def pytest_collection_modifyitems(config, items):
    kernel = kernel_tree(config.getoption('kernel'))
    driver = config.getoption('driver')
    mute = driver == 'stock' and version(release(kernel)) < FIRST_WITH_PRESSURE
    machine = machine_of(config)

    def cannot(item):
        if mute and item.get_closest_marker('pressure'):
            return True
        if any(not has_option(kernel, *option.args) for option in item.iter_markers('option')):
            return True
        if machine is not PC and not item.get_closest_marker('anywhere'):
            return True
        if not machine.sleeps and item.get_closest_marker('sleeps'):
            return True
        if not machine.hints and item.get_closest_marker('hints'):
            return True
        if machine.largest >= 512 * MIB and item.get_closest_marker('compacts'):
            return True
        if any(bus.args != (machine.bus,) for bus in item.iter_markers('bus')):
            return True
        return driver == 'stock' and item.get_closest_marker('ours')

    others = [item for item in items if cannot(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope='session')
def lab(pytestconfig, tmp_path_factory):
    driver = pytestconfig.getoption('driver')
    module = pathlib.Path(pytestconfig.getoption('module'))
    if driver == 'ours' and not module.exists():
        pytest.exit(f'no {module}: run make, or pass --driver=stock', 1)
    return make_lab(driver, module, tmp_path_factory.mktemp('lab'),
                    kernel=pytestconfig.getoption('kernel'),
                    lines=pytestconfig.getoption('lines'),
                    machine=machine_of(pytestconfig),
                    programs=pytestconfig.getoption('programs'))


@pytest.fixture
def boot(lab, request, tmp_path_factory):
    """A function that starts a guest, with the options of Guest.

    When the test has ended, whether it failed or not, each guest must still be running (unless
    it was to end), and its kernel must not have complained.
    """
    guests = request.node.guests = []

    def start(lab=lab, **options):
        # The path has to be short, since that of a UNIX socket has at most 107 characters.
        guest = start_guest(lab, lambda: tmp_path_factory.mktemp('guest'), **options)
        guests.append(guest)
        return guest

    yield start
    faults = []
    for guest in guests:
        faults += guest.splats()
        if guest.close():
            faults.append('QEMU ended by itself' + guest.tail())
    if faults:
        raise GuestError('the guest complained, or ended:\n' + '\n'.join(faults))


@pytest.fixture
def guest(boot):
    """A guest with a balloon. The driver is not loaded yet."""
    return boot()


def tidy(guest):
    """End what a test began, and check that no memory is missing in the guest."""
    guest.try_sh('killall -9 hog')
    try:
        guest.balloon(guest.memory)
    except QMPError:
        pass        # there is no balloon, or it has no driver
    if guest.try_sh(f'test -d /sys/module/{guest.lab.module}')[0] == 0:
        guest.unload()
    total = guest.meminfo()['MemTotal']
    if total != guest.total:
        guest.fail(f'MemTotal is {total >> 10} KiB, was {guest.total >> 10}')


@pytest.fixture(scope='module')
def kept():
    """The guest that the next test of the file may use again."""
    guests = {}
    yield guests
    for guest in guests.values():
        guest.close()


@pytest.fixture
def borrow(lab, kept, request, tmp_path_factory):
    """Like boot, but a test may get the guest of the test before it, if that has the same options.

    The driver is not loaded then, the target is the full size, and no memory is missing. Only
    the last guest is kept, and no guest of a test that has failed.
    """
    guests = request.node.guests = []

    def start(**options):
        key = repr(sorted(options.items()))
        guest = kept.pop(key, None)
        for other in kept.values():
            other.close()
        kept.clear()
        if guest is None:
            guest = start_guest(lab, lambda: tmp_path_factory.mktemp('guest'), **options)
            guest.total = guest.meminfo()['MemTotal']
        kept[key] = guest
        guests.append(guest)
        return guest

    yield start
    for guest in guests:
        try:
            if request.node.failed:
                continue
            guest.check_log()
            tidy(guest)
        except BaseException:
            request.node.failed = True
            raise
        finally:
            if request.node.failed:
                kept.clear()
                guest.close()


def teller(record_property, table):
    def tell(row, value):
        value = {True: 'yes', False: 'no'}.get(value, value)
        record_property(table, f'{row}={value}')
    return tell


@pytest.fixture
def shows(record_property):
    """Record what a test has shown about a feature, for tests/distro/print-table."""
    return teller(record_property, 'shows')


@pytest.fixture
def survives(record_property):
    """Record whether the driver went on when something went wrong, for tests/distro/print-table."""
    return teller(record_property, 'survives')


@pytest.fixture
def outcome(record_property):
    """Record what happens when the module is loaded where the driver is built in."""
    return teller(record_property, 'outcome')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    item.failed = report.failed
    if report.when == 'call' and report.failed:
        for i, guest in enumerate(getattr(item, 'guests', [])):
            report.sections.append((f'guest {i}', guest.tail()))

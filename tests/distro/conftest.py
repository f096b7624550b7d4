# SPDX-License-Identifier: GPL-2.0-only
"""Systems of the matrix. The tests of a file change and boot a system in their order."""

import pytest

import system as matrix


def pytest_addoption(parser):
    parser.addoption('--newest', metavar='SYSTEM',
                     help='for test_newest.py: "unstable", or another as make-system has it')
    parser.addoption('--systems', type=str.split,
                     help='these of the matrix alone, in one word (default: all)')


def pytest_ignore_collect(collection_path, config):
    # It is about a system that is in no matrix.
    return collection_path.name == 'test_newest.py' and not config.getoption('newest', None) or None


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption('--systems')
    if not wanted:
        return
    unknown = set(wanted) - set(matrix.names())
    if unknown:
        pytest.exit(f'the matrix has no {" ".join(sorted(unknown))}', 1)
    others = [item for item in items if item.callspec.params['name'] not in wanted]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def pytest_configure(config):
    config.addinivalue_line(
        'markers', 'core: build, install, load and statistics, for each run of CI')


# All tests of a system run in one worker, since each builds on the ones before.
@pytest.fixture(scope='module', params=[
    pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in matrix.names()])
def name(request):
    return request.param


@pytest.fixture(scope='session')
def programs(tmp_path_factory):
    return matrix.compile_programs(tmp_path_factory.mktemp('programs'))


class State:
    """A system, its disk, and the guest that runs it."""

    def __init__(self, system, programs):
        self.system = system
        self.programs = programs
        self.guest = None
        self.disk = None

    def boot(self, **options):
        """Start the system. What ran of it is stopped. The disk is made when first needed."""
        self.stop()
        if self.disk is None:
            self.system.serve_tests(self.programs)
            self.disk = self.system.image()
        self.guest = self.system.boot(self.disk, **options)
        return self.guest

    def reboot(self):
        """Reboot as an administrator does, in the same QEMU."""
        self.guest.send('systemctl reboot')
        self.guest.wait_ready()

    def stop(self):
        if self.guest:
            splats = self.guest.splats()
            self.guest.close()
            assert not splats
        self.guest = None


@pytest.fixture(scope='module')
def state(name, programs, tmp_path_factory):
    """One system and its guest, for all tests of a file."""
    if not matrix.is_root():
        pytest.exit('changing whole systems needs root: sudo make check-kernels', 1)
    state = State(matrix.System(name, tmp_path_factory.mktemp(name)), programs)
    state.system.unpack_clone()
    yield state
    try:
        state.stop()
    finally:
        state.system.close()


@pytest.fixture(scope='module')
def system(state):
    return state.system


@pytest.fixture(autouse=True)
def labelled(request, name, record_property):
    """Record what the table calls this test and its system."""
    record_property('system', name)
    params = [part for part in getattr(request.node.callspec, 'id', '').split('-')
              if part not in name.split('-')]
    record_property('row', request.node.originalname.removeprefix('test_').replace('_', ' ') +
                    (f' ({" ".join(params)})' if params else ''))


@pytest.fixture
def guest(state):
    """The guest that runs now. The test fails if the kernel complains meanwhile."""
    if state.guest is None:
        pytest.fail('an earlier test did not get the guest to run')
    yield state.guest
    state.guest.check_log()

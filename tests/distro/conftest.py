# SPDX-License-Identifier: GPL-2.0-only
"""Systems of the matrix, each changed and booted in the order of its tests."""

import pytest

import system as matrix


def pytest_configure(config):
    config.addinivalue_line(
        'markers', 'core: build, install, load and statistics, for each run of CI')


# One worker a system, for its tests follow one another.
@pytest.fixture(scope='module', params=[
    pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in matrix.names()])
def name(request):
    return request.param


@pytest.fixture(scope='session')
def programs(tmp_path_factory):
    return matrix.compile_programs(tmp_path_factory.mktemp('programs'))


class State:
    """A system and what runs of it."""

    def __init__(self, system, programs):
        self.system = system
        self.programs = programs
        self.guest = None
        self.disk = None

    def boot(self, **options):
        """Start it, in place of what ran; its disk is made when first needed."""
        self.stop()
        if self.disk is None:
            self.system.serve_tests(self.programs)
            self.disk = self.system.image()
        self.guest = self.system.boot(self.disk, **options)
        return self.guest

    def reboot(self):
        """As an administrator does, in the same QEMU."""
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
    """One system for all tests of a module, and the guest that runs it."""
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
    """What the table calls this test."""
    record_property('system', name)
    params = [part for part in getattr(request.node.callspec, 'id', '').split('-')
              if part not in name.split('-')]
    record_property('row', request.node.originalname.removeprefix('test_').replace('_', ' ') +
                    (f' ({" ".join(params)})' if params else ''))


@pytest.fixture
def guest(state):
    """What runs now; a test that leaves something on its console fails."""
    if state.guest is None:
        pytest.fail('an earlier test did not get the guest to run')
    yield state.guest
    state.guest.check_log()

# SPDX-License-Identifier: GPL-2.0-only
"""Asks a real libvirtd, whose domains run under emulation.

libvirtd runs in a mount namespace of its own, so that it uses neither the machine's
configuration nor the machine's state. This needs root.
"""

import base64
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from common.lab import build_module, make_lab
from common.machine import MIB, PC
from conftest import TIMEOUT, wait_for

pytestmark = pytest.mark.xdist_group('libvirt')

NAMESPACE = '''
set -e
for d in etc/libvirt run/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt; do
	mkdir -p "$0/root/$d" "/$d"
	mount --bind "$0/root/$d" "/$d"
done
# libvirtd looks up this user and group before it reads that it is to use others.
for f in passwd group; do
	cp /etc/$f "$0/$f"
	grep -q ^libvirt-qemu: "$0/$f" || echo "$1" >>"$0/$f"
	mount --bind "$0/$f" /etc/$f
	shift
done
cat >/etc/libvirt/qemu.conf <<END
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = []
namespaces = []
END
cat >/etc/libvirt/libvirtd.conf <<END
unix_sock_dir = "$0"
auth_unix_ro = "none"
auth_unix_rw = "none"
END
exec libvirtd
'''

DOMAIN = '''
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>{boot}</os>
  <features><acpi/></features>
  <devices>
    <emulator>{qemu}</emulator>
    <serial type='file'><source path='{directory}/{name}.log'/></serial>
    <serial type='unix'><source mode='bind' path='{directory}/{name}.shell'/></serial>
    <memballoon model='virtio'><stats period='1'/></memballoon>
  </devices>
</domain>'''


class Libvirt:
    def __init__(self, directory):
        self.directory = directory
        self.uri = f'qemu+unix:///system?socket={directory}/libvirt-sock'
        self.log = open(directory / 'libvirtd.log', 'w')
        self.daemon = subprocess.Popen(
            ['unshare', '--mount', 'sh', '-c', NAMESPACE, directory,
             'libvirt-qemu:x:64055:64055::/:/bin/false', 'libvirt-qemu:x:64055:'],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.lab = make_lab('ours', build_module(), directory)
        try:
            wait_for(lambda: self.try_virsh('list')[0] == 0, 'libvirtd')
        except BaseException:
            self.close()
            raise

    def try_virsh(self, *args):
        if self.daemon.poll() is not None:
            raise AssertionError((self.directory / 'libvirtd.log').read_text())
        ran = subprocess.run(['virsh', '-q', '-c', self.uri, *args], capture_output=True,
                             text=True, timeout=120)
        return ran.returncode, ran.stdout + ran.stderr

    def virsh(self, *args):
        status, text = self.try_virsh(*args)
        assert status == 0, text
        return text

    def define(self, name, memory, boot=''):
        path = self.directory / f'{name}.xml'
        path.write_text(DOMAIN.format(name=name, memory=memory, boot=boot, qemu=self.lab.qemu,
                                      directory=self.directory))
        self.virsh('define', str(path))

    def pid(self, name):
        return int((self.directory / f'root/run/libvirt/qemu/{name}.pid').read_text())

    def start_guest(self, name):
        """Start a domain with Linux and our driver."""
        self.define(name, 256, f'<kernel>{self.lab.vmlinux}</kernel>'
                    f'<initrd>{self.lab.initramfs}</initrd>'
                    f'<cmdline>{PC.kernel_args()} {self.lab.append}</cmdline>')
        self.virsh('start', name)
        command = base64.b64encode(b'modprobe virtio_balloon').decode()
        with socket.socket(socket.AF_UNIX) as shell:
            shell.settimeout(2)
            shell.connect(f'{self.directory}/{name}.shell')
            # What it says before the socket is connected is lost, perhaps also "ready".
            deadline = time.monotonic() + 120
            answer = b''
            while b'7 0 ' not in answer:
                assert time.monotonic() < deadline, (self.directory / f'{name}.log').read_text()
                shell.sendall(f'\n7 {len(command)} {command}\n'.encode())
                try:
                    answer += shell.recv(4096)
                except TimeoutError:
                    pass

    def close(self):
        for path in self.directory.glob('root/run/libvirt/qemu/*.pid'):
            try:
                os.kill(int(path.read_text()), signal.SIGKILL)
            except (ProcessLookupError, ValueError):
                pass
        self.daemon.kill()
        self.daemon.wait()
        self.log.close()


@pytest.fixture(scope='module')
def libvirt():
    # The path has to be short, since that of a UNIX socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix='libvirt-') as directory:
        lv = Libvirt(pathlib.Path(directory))
        try:
            lv.start_guest('linux')
            # This one is paused and small, so it costs nearly nothing.
            lv.define('empty', 32)
            lv.virsh('start', '--paused', 'empty')
            lv.define('off', 32)
            yield lv
        finally:
            lv.close()


def stats(libvirt):
    return json.loads(libvirt.virsh(
        'qemu-monitor-command', 'linux',
        '{"execute": "qom-get", "arguments": {"path": "/machine/peripheral/balloon0", '
        '"property": "guest-stats-polling-interval"}}'))['return']


def test_all_domains(libvirt, run):
    ran = run(f'--connect={libvirt.uri}', '--json', '-t', '20')
    assert ran.status == 0
    assert {o['guest'] for o in ran.objects} == {'linux', 'empty'}
    o = ran.guest('linux')
    assert o['source'] == 'libvirt' and o['diagnosis']['name'] == 'healthy'
    assert all(value is not None for value in o['stats'].values())
    assert o['max'] == 256 * MIB
    assert ran.guest('empty')['diagnosis']['why'] == 'guest-paused'
    # libvirt itself does not tell the statistics of memory pressure.
    names = {line.split()[0] for line in libvirt.virsh('dommemstat', 'linux').splitlines()}
    assert 'available' in names and not any('oom' in name or 'stall' in name for name in names)


def test_named_domain(libvirt, run):
    ran = run('--connect=' + libvirt.uri, '--domain', 'linux', '-t', '20', '1', '3')
    assert ran.status == 0 and len(ran.lines) == 4
    assert ran.lines[-1].split()[-1] == 'healthy'


@pytest.mark.parametrize('domain, says', [
    ('off', 'libvirt: the domain does not run'),
    ('no-such', "libvirt: Domain not found: no domain with matching name 'no-such'"),
])
def test_domain_that_is_not_there(libvirt, run, domain, says):
    ran = run(f'-c{libvirt.uri}', '-d', domain, '-d', 'linux', '-j', '-t', '20')
    assert ran.status == 0
    assert ran.guest(domain)['error'] == says
    assert f'balloonstat: {domain}: {says}\n' == ran.err
    assert ran.guest('linux')['state'] == 'healthy'


def test_no_libvirtd(run, tmp_path):
    ran = run(f'-cqemu+unix:///system?socket={tmp_path}/none', '-t', '20')
    assert ran.status == 1
    assert ran.err.startswith('balloonstat: libvirt: Failed to connect socket to')


def test_check_without_libvirtd(run, tmp_path):
    """It is not said that there are no guests: nobody knows."""
    ran = run(f'-cqemu+unix:///system?socket={tmp_path}/none', '--check', '-t', '20')
    assert ran.status == 3
    assert ran.out.startswith('BALLOON UNKNOWN - libvirt: Failed to connect socket to')
    assert 'no guests' not in ran.out


@pytest.fixture
def pretended(tmp_path):
    """Two of libvirt's pretended hosts. It says which domains run there, and asks none of them."""
    uris = []
    for host, domains in ('a', ('web', 'db10', 'db2')), ('b', ('web', 'mail')):
        path = tmp_path / f'{host}.xml'
        path.write_text('<node>' + ''.join(
            f"<domain type='test'><name>{name}</name><memory>8192</memory><os><type>hvm</type></os>"
            '</domain>' for name in domains) + '</node>')
        uris.append(f'test://{path}')
    return uris


def addresses(ran):
    return [o['address'] for o in ran.objects]


def test_several_libvirts(run, pretended):
    """Two of them may have a domain of the same name."""
    a, b = pretended
    ran = run('-c', a, '--connect', b, '-j', '-t', '20')
    assert sorted(addresses(ran)) == [f'{a} {name}' for name in ('db10', 'db2', 'web')] + \
        [f'{b} {name}' for name in ('mail', 'web')]
    # They are asked, and cannot answer.
    assert all('virDomainQemuMonitorCommand' in o['error'] and o['state'] == 'refused'
               for o in ran.objects)


def test_order_of_domains(run, pretended):
    assert [o['guest'] for o in run('-c', pretended[0], '-j', '-t', '20').objects] == \
        ['db2', 'db10', 'web']


@pytest.mark.parametrize('args, expect', [
    ('-c A -d web -c B', ['A web', 'B mail', 'B web']),
    ('-d web -c A -c B -d mail', ['A web', 'B mail']),
    ('-c A -d web -c B -d web -d mail', ['A web', 'B mail', 'B web']),
    ('-c A -c A -d web', ['A db10', 'A db2', 'A web']),
])
def test_domains_of_several_libvirts(run, pretended, args, expect):
    """--domain chooses among those of the --connect before it."""
    uris = dict(zip('AB', pretended))
    ran = run(*(uris.get(word, word) for word in args.split()), '-j', '-t', '20')
    assert sorted(addresses(ran)) == [f'{uris[a]} {name}' for a, name in
                                      (entry.split() for entry in expect)]


def test_one_of_several_libvirts_is_down(run, pretended, tmp_path):
    down = f'qemu+unix:///system?socket={tmp_path}/none'
    ran = run('-c', pretended[1], '-c', down, '--check', '-t', '20')
    assert ran.out.startswith(f'BALLOON UNKNOWN - libvirt {down}: Failed to connect socket to')
    assert 'mail: refused' in ran.lines[0] and 'web: refused' in ran.lines[0]


def test_uri_that_is_none(run):
    ran = run('-cwhat://is/this', '-t', '20')
    assert ran.status == 1 and ran.err.startswith('balloonstat: libvirt: ')


def test_poll_and_signal(libvirt, start):
    assert stats(libvirt) == 1
    process = start(f'-c{libvirt.uri}', '-d', 'linux', '-j', '--poll', '2', '1')
    process.stdout.readline()
    wait_for(lambda: stats(libvirt) == 2, 'polling')
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT) == 128 + signal.SIGTERM
    assert stats(libvirt) == 1


def test_doctor(libvirt, run):
    ran = run(f'-c{libvirt.uri}', '-d', 'linux', '--doctor', '-t', '20')
    assert ran.status == 0 and 'all 16 statistics' in ran.out
    ran = run(f'-c{libvirt.uri}', '-d', 'empty', '--doctor', '-t', '20')
    assert ran.status == 1 and 'the guest is paused' in ran.out
    assert 'no driver runs the balloon' in ran.out


def test_domain_hangs(libvirt, start):
    """A domain whose QEMU does not answer blocks libvirt's call. The others do not wait for it."""
    process = start(f'-c{libvirt.uri}', '-j', '-t', '2', '1')

    def read():
        o = json.loads(process.stdout.readline())
        return o['guest'], o['state'], o.get('event')
    wait_for(lambda: read()[:2] == ('linux', 'healthy'), 'diagnosis')
    os.kill(libvirt.pid('empty'), signal.SIGSTOP)
    try:
        wait_for(lambda: read()[:2] == ('empty', 'no-answer'), 'word of it')
        for _ in range(5):
            wait_for(lambda: read() == ('linux', 'healthy', 'ok'), 'report of the other')
        # There is no polling interval to restore, so it does not wait for that domain.
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 128 + signal.SIGINT
    finally:
        os.kill(libvirt.pid('empty'), signal.SIGCONT)


def test_domains_come_and_go(libvirt, start):
    process = start(f'-c{libvirt.uri}', '-j', '-t', '2', '1')

    def names(n):
        return {json.loads(process.stdout.readline())['guest'] for _ in range(n)}
    wait_for(lambda: names(2) == {'linux', 'empty'}, 'both')
    libvirt.virsh('destroy', 'empty')
    wait_for(lambda: names(3) == {'linux'}, 'one less')
    libvirt.virsh('start', '--paused', 'empty')
    wait_for(lambda: 'empty' in names(2), 'its return')

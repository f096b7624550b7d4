# SPDX-License-Identifier: GPL-2.0-only
"""Scripted QMP servers on UNIX sockets, some of which misbehave.

As QEMU does, each serves one client at a time: the next one is greeted when that has gone."""

import asyncio
import json
import random
import threading
import time

from common import stat_names
from common.guest import BALLOON, MIB, UNSET

INTERVAL = 'guest-stats-polling-interval'

COUNTERS = tuple(f'stat-{name}' for name in stat_names.COUNTERS)
PRESSURE = tuple(f'stat-{name}' for name in stat_names.PRESSURE)
# With the values that guests have unless a test says otherwise.
GAUGES = {'stat-free-memory': 100 * MIB, 'stat-total-memory': 900 * MIB,
          'stat-available-memory': 500 * MIB, 'stat-disk-caches': 300 * MIB}


def short_of_memory(stats, told):
    """For change: hardly any memory is available."""
    return {'stat-available-memory': 20 * MIB}


GREETING = {'QMP': {'version': {'qemu': {'major': 10, 'minor': 0, 'micro': 2}, 'package': ''},
                    'capabilities': ['oob']}}


class FakeGuest:
    """A QEMU and its guest, as seen over QMP.

    The time from the first question to the first report is random, as it is for a real guest.
    After that the host asks again so many seconds after each answer.

    rates       name -> by how much a counter rises each second
    stats       name -> value, in place of all statistics
    change      a function of the statistics and the number of reports so far, which returns
                those that are to have another value
    interval    at which the host polls at the beginning. With 0, polling is off
    seconds     between reports, if that is not the interval
    phase       of the second in which the first question comes, from 0 to 1; random
    devices     what query-memory-devices returns
    """

    def __init__(self, name='guest', rates=None, stats=None, interval=1, version=(10, 0),
                 actual=1024 * MIB, memory=1024 * MIB, balloon=True, driver=True, running=True,
                 age=0, silent=False, seconds=None, change=None,
                 phase=None, devices=()):
        self.name = name
        self.rates = dict(rates or {})
        self.given = stats
        self.change = change
        self.interval = interval
        self.version = version
        self.actual = actual
        self.memory = memory
        self.balloon = balloon
        self.driver = driver
        self.running = running
        self.age = age
        self.silent = silent            # the guest has never reported
        self.stalled = False            # it does not report any more
        self.seconds = seconds
        self.phase = random.random() if phase is None else phase
        self.devices = list(devices)
        self.counts = {name: 1000.0 for name in COUNTERS}
        self.counts['stat-minor-faults'] = 100000.0
        self.intervals = []             # what was set, in order
        self.commands = []
        self.junk = []                  # lines that were no commands
        self.clients = 0                # that were greeted
        self.monitor = asyncio.Lock()   # held by the client that is served
        self.reported = None            # when the last report came
        self.told = 0
        self.last_update = 0

    def add(self, **counts):
        for name, n in counts.items():
            self.counts['stat-' + name.replace('_', '-')] += n

    def stats(self):
        if self.given is not None:
            return self.given
        if self.silent:
            return {name: UNSET for name in (*COUNTERS, *GAUGES)}
        stats = {**{name: int(n) for name, n in self.counts.items()}, **GAUGES}
        return {**stats, **(self.change(stats, self.told) if self.change else {})}

    def tell(self, when):
        """Have a report come at this time."""
        for name, rate in self.rates.items():
            self.counts['stat-' + name] += rate * (when - self.reported)
        self.reported = when
        self.told += 1
        self.last_update = int(when) - self.age

    def report(self):
        """Make those reports that are due."""
        now = time.time()
        if self.silent or self.stalled:
            return
        if self.reported is None:
            self.reported = now - self.phase * (self.seconds or self.interval or 1)
            self.last_update = int(self.reported) - self.age
        period = self.seconds or self.interval
        while self.interval and self.reported + period <= now:
            self.tell(self.reported + period)

    def set_interval(self, seconds):
        """QEMU asks at once when polling is turned on."""
        self.report()
        was, self.interval = self.interval, seconds
        self.intervals.append(seconds)
        if seconds and not was and not self.silent:
            self.tell(time.time())

    def answer(self, command, arguments):
        """The value that QEMU returns for a command. A KeyError stands for an error."""
        path, prop = arguments.get('path'), arguments.get('property')
        if command == 'qmp_capabilities':
            return {}
        if command == 'query-version':
            return {'qemu': {'major': self.version[0], 'minor': self.version[1], 'micro': 0},
                    'package': ''}
        if command == 'query-name':
            return {'name': self.name} if self.name else {}
        if command == 'query-status':
            return {'running': self.running, 'status': 'running' if self.running else 'paused'}
        if command == 'query-memory-size-summary':
            plugged = sum(device['data']['size'] for device in self.devices)
            return {'base-memory': self.memory, 'plugged-memory': plugged}
        if command == 'query-memory-devices':
            return self.devices
        if command == 'query-balloon':
            return {'actual': self.actual}
        if command == 'x-query-virtio-status':
            return {'status': {'statuses': ['VIRTIO_CONFIG_S_DRIVER_OK: Driver ready']
                               if self.driver else []},
                    'guest-features': {'dev-features': ['VIRTIO_BALLOON_F_STATS_VQ: Guest stats']
                                       if self.driver else []}}
        if command == 'qom-list':
            return [{'name': 'balloon0', 'type': 'child<virtio-balloon-pci>'}] \
                if self.balloon and path == '/machine/peripheral' else \
                [{'name': 'type', 'type': 'string'}]
        if command == 'qom-get' and path == BALLOON and prop == 'guest-stats':
            self.report()
            return {'stats': self.stats(), 'last-update': self.last_update}
        if command == 'qom-get' and path == BALLOON and prop == INTERVAL:
            return self.interval
        if command == 'qom-set' and path == BALLOON and prop == INTERVAL:
            self.set_interval(arguments['value'])
            return {}
        raise KeyError(f"Device '{path}' not found")

    # --- the conversation. Subclasses change this ---------------------------

    async def greet(self, writer):
        writer.write(json.dumps(GREETING).encode() + b'\r\n')

    async def reply(self, message, writer):
        self.commands.append(message['execute'])
        try:
            result = {'return': self.answer(message['execute'], message.get('arguments', {}))}
        except KeyError as e:
            result = {'error': {'class': 'GenericError', 'desc': e.args[0]}}
        if 'id' in message:
            result['id'] = message['id']
        writer.write(json.dumps(result).encode() + b'\r\n')

    async def serve(self, reader, writer):
        try:
            async with self.monitor:
                self.clients += 1
                await self.greet(writer)
                while line := await reader.readline():
                    try:
                        message = json.loads(line)
                    except ValueError:
                        self.junk.append(line)
                        continue
                    await self.reply(message, writer)
                    await writer.drain()
        except (ConnectionError, EOFError):
            pass
        finally:
            writer.close()


class Says(FakeGuest):
    """Sends these bytes as its greeting, and then closes the connection or waits."""

    def __init__(self, greeting, close=False, **kwargs):
        super().__init__(**kwargs)
        self.greeting = greeting
        self.close = close

    async def serve(self, reader, writer):
        try:
            writer.write(self.greeting)
            await writer.drain()
            while not self.close and await reader.read(4096):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()


class Answers(FakeGuest):
    """Answers a command with these bytes, and then closes the connection or goes on.

    {id} in them is replaced by the id of the command."""

    def __init__(self, command, answer, close=False, times=None, **kwargs):
        super().__init__(**kwargs)
        self.command = command
        self.bytes = answer
        self.close = close
        self.times = times

    async def reply(self, message, writer):
        prop = message.get('arguments', {}).get('property', '')
        if self.command not in (message['execute'], prop) or self.times == 0:
            await super().reply(message, writer)
            return
        if self.times:
            self.times -= 1
        writer.write(self.bytes.replace(b'{id}', str(message['id']).encode()))
        if self.close:
            await writer.drain()
            raise EOFError


class Hangs(FakeGuest):
    """Does not answer this command while hanging is true."""

    def __init__(self, command='qom-get', hanging=True, **kwargs):
        super().__init__(**kwargs)
        self.command = command
        self.hanging = hanging

    async def reply(self, message, writer):
        while self.hanging and message['execute'] == self.command:
            await asyncio.sleep(0.02)
        await super().reply(message, writer)


class Servers:
    """Servers with sockets in one directory. One thread serves all of them."""

    def __init__(self, directory):
        self.directory = directory
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.servers = []
        self.tasks = set()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def add(self, guest, name=None, backlog=100):
        """Serve a guest. Return the path of its socket."""
        path = self.directory / f'{name or guest.name}.sock'

        async def serve(reader, writer):
            task = asyncio.current_task()
            self.tasks.add(task)
            try:
                await guest.serve(reader, writer)
            finally:
                self.tasks.discard(task)

        async def start():
            return await asyncio.start_unix_server(serve, path, backlog=backlog,
                                                   limit=1 << 20)
        self.servers.append(self._run(start()))
        return path

    def add_tcp(self, guest):
        """Serve a guest over TCP. Return the port."""
        async def start():
            return await asyncio.start_server(guest.serve, '127.0.0.1', 0)
        self.servers.append(self._run(start()))
        return self.servers[-1].sockets[0].getsockname()[1]

    def hang_up(self):
        """Close all connections, as QEMU does when it ends."""
        async def cancel():
            for task in list(self.tasks):
                task.cancel()
            await asyncio.sleep(0)
        self._run(cancel())

    def close(self):
        self.hang_up()

        async def stop():
            for server in self.servers:
                server.close()
        self._run(stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

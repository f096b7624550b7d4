# SPDX-License-Identifier: GPL-2.0-only
"""A small QMP client over a connected socket."""

import json
import time


class QMPError(Exception):
    """QEMU refused a command."""


class QMPClosed(Exception):
    """QEMU went away, or is too busy to answer in time."""


class QMP:
    def __init__(self, sock):
        self.sock = sock
        self.buffer = b''
        self.events = []
        self._receive(time.monotonic() + 30)    # the greeting
        self.cmd('qmp_capabilities')

    def _receive(self, deadline):
        """The next message of any kind. None if there is none before the deadline."""
        while b'\n' not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return None
            except OSError as e:
                raise QMPClosed(str(e)) from e
            if not data:
                raise QMPClosed('QEMU closed its monitor')
            self.buffer += data
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def cmd(self, name, timeout=30, **arguments):
        """Run a command and return its result. Events that come meanwhile are kept."""
        message = {'execute': name}
        if arguments:
            message['arguments'] = arguments
        try:
            self.sock.sendall(json.dumps(message).encode() + b'\n')
        except OSError as e:
            raise QMPClosed(str(e)) from e
        deadline = time.monotonic() + timeout
        while reply := self._receive(deadline):
            if 'event' in reply:
                self.events.append(reply)
            elif 'error' in reply:
                raise QMPError(f"{name}: {reply['error']['desc']}")
            elif 'return' in reply:
                return reply['return']
        raise QMPClosed(f'no answer to {name} in {timeout} s')

    def take_event(self, name, timeout):
        """The data of the oldest event of this name that was not taken yet.

        Waits for one. Returns None if none comes in time."""
        deadline = time.monotonic() + timeout
        while True:
            for i, event in enumerate(self.events):
                if event['event'] == name:
                    del self.events[i]
                    return event.get('data', {})
            message = self._receive(deadline)
            if message is None:
                return None
            self.events.append(message)

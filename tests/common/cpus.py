# SPDX-License-Identifier: GPL-2.0-only
"""A CPU of a guest that goes off- and online while something else is tested."""

CPU = '/sys/devices/system/cpu/cpu1/online'


class Switching:
    """Goes on until end(), and at least for so many rounds."""

    def __init__(self, guest, rounds=20):
        self.guest = guest
        guest.sh('rm -f /tmp/enough /tmp/ended; n=0; '
                 f'{{ (until [ -e /tmp/enough ] && [ $n -ge {rounds} ]; do '
                 f'echo 0 >{CPU} && echo 1 >{CPU} || exit; n=$((n + 1)); done); '
                 'echo $? >/tmp/ended; } >/dev/null 2>&1 &')

    def end(self):
        """Wait for the end. The CPU is online then. Fail if the kernel has refused to switch it."""
        self.guest.sh('touch /tmp/enough')
        status = self.guest.wait_for(
            lambda: self.guest.sh('cat /tmp/ended 2>/dev/null || true'),
            what='end of the switching')
        assert status == '0\n'

# SPDX-License-Identifier: GPL-2.0-only
"""The names of the 16 statistics, as QEMU shows them behind "stat-"."""

# In the order of their tags. QEMU names two of them otherwise than
# include/uapi/linux/virtio_balloon.h: tags 8 and 9.
NAMES = ('swap-in', 'swap-out', 'major-faults', 'minor-faults', 'free-memory', 'total-memory',
         'available-memory', 'disk-caches', 'htlb-pgalloc', 'htlb-pgfail', 'oom-kills',
         'alloc-stalls', 'async-scans', 'direct-scans', 'async-reclaims', 'direct-reclaims')

# Every driver sends the first ten. The others show memory pressure.
FIRST_TEN, PRESSURE = NAMES[:10], NAMES[10:]

# A gauge goes up and down. A counter only rises.
GAUGES = ('free-memory', 'total-memory', 'available-memory', 'disk-caches')
COUNTERS = tuple(name for name in NAMES if name not in GAUGES)

# These count events. All others are in bytes.
EVENTS = ('major-faults', 'minor-faults', 'htlb-pgalloc', 'htlb-pgfail', 'oom-kills',
          'alloc-stalls')

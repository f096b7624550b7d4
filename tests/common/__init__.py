# SPDX-License-Identifier: GPL-2.0-only
"""What the tests share.

project.py      paths, the version, the range of kernels, the sources; runs our scripts
guest.py        a guest under QEMU: starts it, gives it commands, looks at it from outside
hostram.py      what the host sees of a guest's memory: huge pages, splits, CPU time, hugetlbfs
qmp.py          talks to QEMU
lab.py          puts together what guests are made of, with the scripts of tests/lab
splats.py       what a kernel prints when something is wrong
stat_names.py   the names of the 16 statistics
pressure.py     brings about memory pressure that takes more than one process
pci.py          a balloon in a PCI Express slot that is reset or pulled
gcov.py         which lines of the driver were run
junit.py        reads pytest's results
parts.py        runs tests that come in parts and may take hours
common.sh       the same kind of things for shell scripts
"""

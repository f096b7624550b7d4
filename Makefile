# SPDX-License-Identifier: GPL-2.0-only
# What a person types. The kernel's build reads Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build
# Debian's python3 has Debian's pytest. The first python3 on the PATH may be another one.
PYTHON ?= /usr/bin/python3
PYTEST = $(PYTHON) -m pytest
# All scripts of ours are run by their interpreters. Their mode bits may be lost, and do
# not count where the file system is mounted noexec.
DEPS = sh tests/lab/install-packages
# Which driver the guests have: ours or stock.
DRIVER ?= ours
# More arguments for the program that a target runs, such as ARGS='-k suspend' for pytest.
ARGS ?=
# Of check-kernels and check-debug, all by default.
PARTS ?=

.PHONY: modules help demo shell check check-build check-kunit check-tools check-guest check-rpm check-install check-takeover check-cross check-arch \
	check-kernels check-faults check-debug soak bench tools install-tools trees deb rpm lint install uninstall activate status clean

# Kbuild takes such a path for several, or hands it to a shell or to make again.
modules:
	@case "$$(pwd -P)" in \
	*[][[:space:]:=%\#\$$\'\"\\\;\&\|\(\)\<\>\*\?\`,]*) \
		echo "The kernel's build cannot be run in a directory with this name:" >&2; \
		echo "    $$(pwd -P)" >&2; \
		echo "There is a space in it, or one of [ ] : = % # , \$$ ' \" \\ ; & | ( ) < > * ? \`." >&2; \
		echo "Move the sources to another." >&2; \
		exit 1 ;; \
	esac
	@test -e '$(KDIR)/Makefile' || { \
		echo "No kernel to build for in $(KDIR)." >&2; \
		echo "Install the headers of the running kernel:" >&2; \
		echo "    $$(sh tools/headers --command)" >&2; \
		echo "or name another: make KDIR=/lib/modules/VERSION/build" >&2; \
		exit 1; }
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' modules

help:
	@echo 'make              build virtio_balloon.ko for the running kernel, or for KDIR='
	@echo 'make demo         show in a QEMU guest what the host learns from it'
	@echo 'make shell        a shell in a QEMU guest that has the driver loaded; DRIVER=stock;'
	@echo '                  ARGS= for QEMU; "poweroff" or Ctrl-A X ends it'
	@echo 'make check        all tests: KUnit, and guests in QEMU'
	@echo 'make check-build  that the module builds in any language, from any directory, and that'
	@echo '                  the tools leave a guest its driver'
	@echo 'make check-kunit  the KUnit suites alone; ARGS= for tests/kunit/run,'
	@echo '                  such as ARGS="--only size_oom" for a single case'
	@echo 'make check-guest  the guest tests alone; DRIVER=stock for the stock driver,'
	@echo '                  ARGS= for pytest, such as ARGS="-k suspend"'
	@echo 'make check-tools  the tests of balloonstat, but for those in guests; as root'
	@echo 'make check-install  on each kernel of the matrix: built, installed with DKMS, booted,'
	@echo '                  statistics; as root; SYSTEMS= for some, such as SYSTEMS="debian-11 debian-13"'
	@echo 'make check-rpm    the RPM: built, and installed in a Debian 12 as rpm --root; as root'
	@echo 'make check-takeover  where the kernel has its own driver built in; PARTS= for some, such as'
	@echo '                  PARTS=6.1'
	@echo 'make check-cross  that the module builds and links for Debian'"'"'s kernels of other'
	@echo '                  architectures, by cross compilers; as root'
	@echo 'make check-arch   guests of other architectures: arm64, s390x, ppc64el, riscv64; as root;'
	@echo '                  ARCH= for some of tests/common/machine.py, such as ARCH="s390x arm64-16k"'
	@echo 'make check-kernels  all of the matrix, in a matter of hours; as root; PARTS= for some,'
	@echo '                  such as PARTS="install debian-12-ours"; KVER=unstable for the newest'
	@echo '                  kernel of Debian'"'"'s unstable or experimental, KVER=7.4 for one of these'
	@echo 'make check-debug  KUnit, guests and soak on sanitised kernels, 6.1 and 7.3, with the'
	@echo '                  coverage; KCSAN; in a matter of hours, and as root; PARTS= for some,'
	@echo '                  such as PARTS="6.1-kunit race-kunit"'
	@echo 'make check-faults  plant each fault of tests/faults in the driver and see it noticed;'
	@echo '                  ARGS= for their names, or ARGS="--daily 10" for some, others each day'
	@echo 'make soak         all a host may do to a guest, at random; SECONDS=600, SEED= to do it again'
	@echo 'make bench        our costs beside the stock driver'"'"'s, on 6.1 and 7.3, and balloonstat'"'"'s; KVER='
	@echo '                  for others of the matrix; as root'
	@echo 'make tools        build balloonstat, which runs on the host, in tools/balloonstat/build'
	@echo 'make install-tools  install it; PREFIX=/usr/local, DESTDIR='
	@echo 'make deb          the Debian package virtio-balloon-dkms, into dist/'
	@echo 'make rpm          the RPM virtio-balloon-dkms for EL and Fedora, into dist/'
	@echo 'make lint         checkpatch, sparse, W=1, shellcheck and more'
	@echo 'make install      register, build and install with DKMS; does not load it'
	@echo 'make activate     swap the loaded driver for the installed one, now'
	@echo 'make status       which driver is loaded, from where, what was negotiated'
	@echo 'make uninstall    remove from DKMS; the stock module is back'
	@echo 'make clean        remove what make built here'
	@echo
	@echo 'demo, check and lint install the Debian packages they need and say which.'
	@echo 'QEMU, kernels and guests are kept in $${VIRTIO_BALLOON_CACHE:-~/.cache/virtio-balloon}.'

demo: tools
	$(DEPS) build lab
	$(PYTHON) tests/demo

shell:
	$(DEPS) build lab
	$(PYTHON) tests/shell --driver=$(DRIVER) --module=$$(sh tests/lab/build-module) $(ARGS)

check: check-build check-kunit check-tools check-guest

check-build:
	$(DEPS) build buildtest deb rpm
	$(PYTEST) -n 2 tests/build $(ARGS)

# Another --machine needs a cross compiler.
check-kunit:
	$(DEPS) build lab kernel $(if $(filter -m --machine --machine=%,$(ARGS)),crosskernel)
	$(PYTHON) tests/kunit/run $(ARGS)

check-guest: tools
	$(DEPS) build lab
	$(PYTEST) -n 2 --dist loadfile tests/qemu --driver=$(DRIVER) --module=$$(sh tests/lab/build-module) $(ARGS)

tools:
	$(DEPS) tools
	$(MAKE) -C tools/balloonstat

# Whoever installs it on a host without apt has installed what it needs.
install-tools:
	$(MAKE) -C tools/balloonstat install

check-tools: tools
	$(DEPS) build lab tools toolstest
	$(MAKE) -C tests/balloonstat unit series fuzz
	$(PYTEST) -n 2 --dist loadgroup tests/balloonstat $(ARGS)

# Of the matrix, all by default.
SYSTEMS ?=
# They are made two at a time.
trees:
	$(DEPS) distro
	$(if $(SYSTEMS),printf '%s\n' $(SYSTEMS),awk '!/^#/ && NF { print $$1 }' tests/distro/matrix) | \
		xargs -P2 -n1 sh tests/distro/make-system >/dev/null

check-install: trees
	$(DEPS) build lab
	$(PYTEST) -n 2 --dist loadgroup tests/distro -m core \
		$(if $(SYSTEMS),'--systems=$(SYSTEMS)') $(ARGS)

check-rpm:
	$(DEPS) build buildtest deb rpm distro
	sh tests/distro/make-system debian-12 >/dev/null
	$(PYTEST) tests/build/test_rpm.py
	$(PYTEST) tests/distro/test_rpm.py --systems=debian-12 $(ARGS)

check-takeover:
	$(DEPS) build lab kernel distro
	$(PYTHON) tests/check-takeover $(PARTS)

check-cross:
	$(DEPS) lab distro
	sh tests/distro/make-cross-system >/dev/null
	$(PYTEST) -n 2 --dist loadgroup tests/distro/test_architectures.py $(ARGS)

# Machines of other architectures, all by default.
ARCH ?=
check-arch:
	$(DEPS) lab kernel crosskernel distro
	$(PYTHON) tests/distro/check-arch $(ARCH)

# With KVER=, a kernel that is in no matrix, such as KVER=unstable.
check-kernels: $(if $(KVER),,trees) deb
	$(DEPS) build lab kernel distro rpm
	$(PYTHON) tests/distro/check-kernels $(if $(KVER),--newest $(KVER),$(PARTS))

check-faults:
	$(DEPS) build lab kernel
	$(PYTHON) tests/faults/run $(ARGS)

check-debug:
	$(DEPS) build lab kernel distro
	$(PYTHON) tests/check-debug $(PARTS)

SECONDS ?= 600
soak:
	$(DEPS) build lab
	$(PYTHON) tests/soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

# Of the matrix; 6.1 and 7.3 by default.
KVER ?=
bench: tools
	$(DEPS) build lab distro
	$(PYTHON) tests/balloonstat/measure-cost
	$(PYTHON) tests/bench/compare-drivers $(KVER) $(ARGS)

deb:
	$(DEPS) deb
	sh tools/deb

rpm:
	$(DEPS) rpm
	sh tools/rpm

lint:
	$(DEPS) build lint
	bash tests/lint

install:
	sh tools/install

uninstall:
	sh tools/uninstall

activate:
	sh tools/activate

status:
	@sh tools/status

# Without a kernel's build too, which may have been removed meanwhile.
clean:
	find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' -o -name 'modules.order' \
		-o -name 'Module.symvers' -o -name '.module-common.o' -o -path ./src/compat/facts.h \) -exec rm -f {} +
	rm -rf tools/balloonstat/build tests/balloonstat/build
	find . -name __pycache__ -exec rm -rf {} +

# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For the scripts beside it, and for those of tests/. Who sources it has set top, the
# directory of the sources. Sets package, version and tree.

die()
{
	printf "${0##*/}: %s\n" "$@" >&2
	exit 1
}

need_root()
{
	[ "$(id -u)" = 0 ] || die "needs root: sudo make ${0##*/}"
}

# dkms.conf is bash, so it is read and not run.
conf()
{
	sed -n "s/^$1=\"\(.*\)\"\$/\1/p" "$top/dkms.conf"
}

# The name of the module for a kernel: one that has its own driver built in has another.
module_for()
{
	# shellcheck disable=SC2016 # of the other shell
	kernelver=$1 bash -c '. "$1" 2>/dev/null; echo "${BUILT_MODULE_NAME[0]}"' bash "$top/dkms.conf"
}

# Copy what the module is built from into a directory, without what a build has left there.
copy_sources()
{
	cp -R "$top/src" "$top/include" "$top/Kbuild" "$top/dkms.conf" "$top/COPYING" "$1"
	find "$1" \( -name '*.o' -o -name '.*.cmd' -o -name facts.h \) -exec rm -f {} +
}

# Copy what a package of the module is made from into the directory $1, with the directory $2,
# which says how it is packaged.
copy_packaged()
{
	copy_sources "$1"
	cp -R "$top/tools" "$top/Makefile" "$top/README.md" "$top/docs" "$top/$2" "$1"
	# For hosts, which need no module.
	rm -rf "$1/tools/balloonstat"
}

# Whether a kernel can be served. dkms.conf says why not.
served()
{
	# shellcheck disable=SC2016 # of the other shell
	kernelver=$1 bash -c '. "$1"; [[ $kernelver =~ $BUILD_EXCLUSIVE_KERNEL ]]' bash "$top/dkms.conf"
}

registered()
{
	[ -n "$(dkms status -m "$package" -v "$version")" ]
}

# What a package brought is the package's to build and to remove.
not_packaged()
{
	case $(dpkg-query -W -f '${db:Status-Status}' "$package-dkms" 2>/dev/null || :) in
	'' | not-installed | config-files)
		;;
	*)
		die "the module came with the package $package-dkms: remove that first," \
			"with apt purge $package-dkms" ;;
	esac
	! rpm -q "$package-dkms" >/dev/null 2>&1 ||
		die "the module came with the package $package-dkms: remove that first," \
			"with dnf remove $package-dkms"
}

package=$(conf PACKAGE_NAME)
version=$(conf PACKAGE_VERSION)
# shellcheck disable=SC2034 # for the others
tree=/usr/src/$package-$version

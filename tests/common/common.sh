# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For the shell scripts of tests/. Who sources it has set top, the directory of the sources.
# It takes die() and more from tools/common.sh, and sets cache.

# shellcheck source=../../tools/common.sh
. "$top/tools/common.sh"

# Where QEMU, kernels and systems are kept between runs.
cache=${VIRTIO_BALLOON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/virtio-balloon}

# For the terminal, where stdout is for the script's answer.
say()
{
	echo "${0##*/}: $*" >&2
}

# Remove the directory $1 when the script ends, however it ends.
remove_at_exit()
{
	# shellcheck disable=SC2064 # as it is now
	trap "rm -rf --one-file-system '$1'" EXIT
	trap 'exit 1' HUP INT TERM
}

# Wait until no other script holds the lock $1, and hold it until this one ends.
lock()
{
	exec 9>"$1"
	flock 9
}

# The mirror that this machine's own suite comes from.
debian_mirror()
{
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(CODENAME) $(COMPONENT)' \
		'Created-By: Packages' |
		awk '$2 == "Debian" && $3 !~ /-/ && $4 == "main" { print $1; found = 1; exit }
			END { exit !found }' ||
		die "apt has no Debian suite: run apt-get update, or look at its sources"
}

# Options that the machine's apt needs to reach the mirror, such as its proxy.
apt_options()
{
	apt-config dump | grep -E '^Acquire::(https?::|Check-)' || :
}

# Make a Debian system. All that mmdebstrap mounts and starts is in namespaces of its own,
# and so ends with it, even when it is killed.
bootstrap()
{
	unshare --mount --pid --fork --kill-child mmdebstrap "$@"
}

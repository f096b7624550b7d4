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

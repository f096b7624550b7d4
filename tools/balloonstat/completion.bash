# SPDX-License-Identifier: GPL-2.0-only
# Completion of balloonstat's options for bash.

_balloonstat_limits()
{
	echo stall-high stall-min scan-high kscan-high ratio-low return-high return-min \
		scan-per-stall avail-low balloon-large memory-max leave rise hold oom-hold stale
}

_balloonstat()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local before=${COMP_WORDS[COMP_CWORD - 2]-}

	# Bash takes the equals sign for a word of its own.
	if [[ $cur == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 1]} cur=
	elif [[ $prev == = ]]; then
		prev=$before
	fi
	case $prev in
	-q | --qmp | --prometheus)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		return ;;
	-c | --connect)
		mapfile -t COMPREPLY < <(compgen -W 'qemu:///system qemu:///session' -- "$cur")
		return ;;
	-d | --domain)
		mapfile -t COMPREPLY < <(compgen -W "$(virsh -q list --name 2>/dev/null)" -- "$cur")
		return ;;
	--set)
		mapfile -t COMPREPLY < <(compgen -S = -W "$(_balloonstat_limits)" -- "$cur")
		compopt -o nospace 2>/dev/null
		return ;;
	-p | --poll | -t | --timeout)
		return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W '--qmp --connect --domain --live --json --prometheus
		--check --doctor --poll --timeout --explain --hold --set --help --version' -- "$cur")
} && complete -F _balloonstat balloonstat

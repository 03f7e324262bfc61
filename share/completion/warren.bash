# bash completion for warren and for the tools that `warren env` puts on PATH.
#
# Names of interfaces, jails and routes are asked of the daemon; without one the tools' names remain.

_warren()
{
	local tool=${COMP_WORDS[0]##*/} cur=${COMP_WORDS[COMP_CWORD]} warren=warren
	local -a words=("${COMP_WORDS[@]:0:COMP_CWORD}" "$cur") options=()

	if [[ $tool == warren ]]; then
		warren=${COMP_WORDS[0]}
		words=("${words[@]:1}")
		# The options before the tool: the jail and the socket also say whom to ask.
		while [[ ${#words[@]} -gt 1 ]]; do
			case ${words[0]} in
			-j | --jail | --socket)
				[[ ${#words[@]} -gt 2 ]] || break
				options+=("${words[0]}" "${words[1]}")
				words=("${words[@]:2}")
				;;
			--json | -j* | --jail=* | --socket=*)
				options+=("${words[0]}")
				words=("${words[@]:1}")
				;;
			*)
				break
				;;
			esac
		done
		if [[ ${words[0]} == -* && ${#words[@]} -eq 1 ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--help --jail --json --socket --version" -- "$cur")
			return
		fi
		case ${words[0]} in
		run | test | check | up | console)
			if [[ ${#words[@]} -gt 1 && $cur == -* ]]; then
				mapfile -t COMPREPLY < <(compgen -W \
				    "--for --seed --out --json --live --socket -d -o -q" -- "$cur")
				return
			elif [[ ${#words[@]} -gt 1 ]]; then
				mapfile -t COMPREPLY < <(compgen -f -X '!*.yml' -- "$cur"; compgen -d -S / -- "$cur")
				compopt -o nospace
				return
			fi
			;;
		help)
			words=("${words[@]:1}")
			;;
		env)
			[[ ${words[-2]} == --shell ]] &&
			    mapfile -t COMPREPLY < <(compgen -W "sh csh fish" -- "$cur")
			return
			;;
		esac
	else
		words[0]=$tool
	fi
	mapfile -t COMPREPLY < <("$warren" "${options[@]}" complete "${words[@]}" 2>/dev/null)
}

complete -o default -F _warren warren
complete -o default -F _warren arp dnctl ifconfig ipfw jexec jls netstat route setfib sysctl

#!/bin/sh
# ipfw_nft.sh - the peer of bench_ipfw's forwarding that people have today: the kernel with the same rules in an nft
# chain, between veth pairs: ipfw_nft.sh PROGRAM (bench_kernel_forward). Its packets come to the end of the rules.
# Says nft_forward_SET_SIZE; exit status 77 where nft or the rules are not there.
set -eu

program=$1
here=$(dirname "$0")
sets=${WARREN_CLASSBENCH:-$here/../../shared/data/classbench}

if ! command -v nft >/dev/null; then
	echo "no nft" >&2
	exit 77
fi
if [ ! -f "$sets/acl1_1k.rules" ]; then
	echo "no ClassBench sets" >&2
	exit 77
fi

# A ClassBench line (@src/len dst/len lo : hi lo : hi proto/mask flags/mask) as a rule of nft.
as_nft() {
	awk '
	function ports(what, lo, hi) { return lo == 0 && hi == 65535 ? "" : " th " what " " lo "-" hi }
	BEGIN { print "table ip bench {\nchain forward {\ntype filter hook forward priority 0; policy accept;" }
	{
		sub("@", "", $1)
		split($9, proto, "/")
		split($10, flags, "/")
		p = ports("sport", $3, $5) ports("dport", $6, $8)
		line = ($1 ~ /\/0$/ ? "" : "ip saddr " $1 " ") ($2 ~ /\/0$/ ? "" : "ip daddr " $2 " ")
		if (proto[2] != "0x00")
			line = line "meta l4proto " proto[1]
		else if (p != "")
			line = line "meta l4proto { tcp, udp }"
		line = line p
		if (flags[2] != "0x0000")
			line = line " tcp flags & 0x" substr(flags[2], 3, 2) " == 0x" substr(flags[1], 3, 2)
		print line " accept"
	}
	END { print "}\n}" }' "$1"
}

rules=$(mktemp)
trap 'rm -f "$rules"' EXIT
for size in 100 1k; do
	as_nft "$sets/acl1_$size.rules" >"$rules"
	"$here/kernel_forward.sh" "$program" "$rules" | sed -n "s/\"kernel_forward\"/\"nft_forward_acl1_$size\"/p"
done

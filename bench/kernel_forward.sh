#!/bin/sh
# kernel_forward.sh - three network namespaces in a row, joined by veth pairs, then the measuring program in the
# first: kernel_forward.sh PROGRAM [FILE], a file of nft rules for the one in the middle, which is a router; or
# kernel_forward.sh PROGRAM bridge, where it is a bridge. Everything is gone when it ends. Needs root or user
# namespaces.
set -eu

if [ "${1:-}" != --inside ]; then
	if [ "$(id -u)" = 0 ]; then
		exec unshare -n "$0" --inside "$1" "${2:-}"
	fi
	exec unshare -Urn "$0" --inside "$1" "${2:-}"
fi
program=$2
rules=$3

unshare -n sleep 60 & router=$!
unshare -n sleep 60 & sink=$!
trap 'kill $router $sink 2>/dev/null' EXIT
here=$(readlink /proc/self/ns/net)
until [ "$(readlink /proc/$router/ns/net)" != "$here" ] && [ "$(readlink /proc/$sink/ns/net)" != "$here" ]; do
	sleep 0.05
done

in_router() { nsenter -t $router -n "$@"; }
in_sink() { nsenter -t $sink -n "$@"; }

ip link add s0 type veth peer name r0 netns $router
in_router ip link add r1 type veth peer name k0 netns $sink
in_router ip link set r0 address 02:00:00:00:01:01 up
in_router ip link set r1 address 02:00:00:00:01:02 up
in_sink ip link set k0 address 02:00:00:00:02:02 up
ip link set s0 up
if [ "$rules" = bridge ]; then
	in_router ip link add br0 type bridge
	in_router ip link set r0 master br0
	in_router ip link set r1 master br0
	in_router ip link set br0 up
	# a station behind r1 that is nobody, as the neighbour below
	in_router bridge fdb add 02:ff:ff:ff:ff:fe dev r1 master static
	"$program" s0 02:ff:ff:ff:ff:fe bridge
	exit
fi
in_router ip addr add 10.1.0.1/24 dev r0
in_router ip addr add 10.2.0.1/24 dev r1
# a neighbour that is nobody: the sink's kernel drops the frames first thing, so that they cost the least
in_router ip neigh add 10.2.0.2 lladdr 02:ff:ff:ff:ff:fe dev r1
in_router ip route add 10.3.0.0/16 via 10.2.0.2
in_router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter'
[ -z "$rules" ] || in_router nft -f "$rules"
"$program" s0 02:00:00:00:01:01

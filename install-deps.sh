#!/bin/bash
# The one place where the Debian 12 packages that Warren needs are listed.
# Safe to run again: what is there already is left alone, and the package lists are
# fetched only if something is missing. Starts no services.
#
#	./install-deps.sh		install what is missing
#	./install-deps.sh --check	install nothing; name what is missing, exit 1 if anything is
#	./install-deps.sh --bench	also the peers of `make bench`
set -eu

# Compilers, build system, and the tools of `make format` and the sanitizers.
build="gcc clang libc6-dev meson ninja-build pkg-config make python3
	clang-format llvm libclang-rt-14-dev"

# Libraries that the program stands on.
libraries="libck-dev libbsd-dev uthash-dev libpcap-dev libyaml-dev libjansson-dev libedit-dev
	libxxhash-dev libmnl-dev zlib1g-dev libzstd-dev"

# Unit tests, and the real programs that the interop tests talk to.
tests="libcmocka-dev python3-yaml xz-utils util-linux iproute2 iputils-ping iputils-arping
	traceroute tcpdump tshark iperf3 nginx radvd frr curl ethtool procps"

# Peers that benchmarks are measured beside (--bench); the build goes on without them.
benches="libdpdk-dev nftables"

mode=${1-}
[ "$mode" = --bench ] || benches=

missing=
for package in $build $libraries $tests $benches; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$mode" = --check ]; then
	echo "install-deps: missing:$missing" >&2
	exit 1
fi

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
	echo "install-deps: needs root or sudo to install:$missing" >&2
	exit 3
fi

# nginx, iperf3, radvd and frr are wanted as programs, not as daemons: while packages are being
# configured, refuse to start any. A policy that the machine has already is its owner's and stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'as_root rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
fi

apt="env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"
as_root $apt update
# shellcheck disable=SC2086	# the list is meant to be split
as_root $apt install -y --no-install-recommends $missing

# Nor shall one that we brought start with the next boot.
for daemon in nginx iperf3 radvd frr; do
	case "$missing " in
	*" $daemon "*)
		! command -v systemctl >/dev/null ||
			as_root systemctl -q disable "$daemon" 2>/dev/null || true
		;;
	esac
done

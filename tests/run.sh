#!/bin/bash
# Runs the suites and counts what came of them; `make check` is this script.
#
#	tests/run.sh [--long] [SUITE...]
#
#	layering	floors include downwards only, files stay readable; docs/ipv6-conformance.md
#			names tests that are there
#	format		clang-format has nothing to change
#	unit		cmocka programs, tests/unit
#	fuzz		fuzz targets over seeds and a bounded series of mutations
#	cli		programs in tests/cli that drive the program, and the example program
#	labs		tests/lab/*.lab.yml and examples/*.lab.yml, in virtual time
#	interop		programs in tests/interop that speak TAP, each in network namespaces of its own
#	replay		programs in tests/replay that speak TAP
#	asan		unit, fuzz, cli, labs, interop and replay again, clang with ASan and UBSan
#	tsan		the unit tests of suite 'threads' again, under ThreadSanitizer
#	libfuzzer	libFuzzer on every target (--long only: 120 s a target)
#
# Without a SUITE all run. Each counts its own tests; the last line is "N passed, N failed", and the
# exit status is 0 only if nothing failed and something passed. What was skipped, and every failure
# with its log, is listed before that. Root is not needed: what wants interfaces gets them in user
# and network namespaces of its own.
set -u
cd "$(dirname "$0")/.." || exit 4

long=
if [ "${1-}" = --long ]; then
	long=1
	export LONG=1	# programs that have more to try then look at this
	shift
fi
suites=${*:-layering format unit fuzz cli labs interop replay asan tsan ${long:+libfuzzer}}

logs=$PWD/build/check
results=$logs/results
mkdir -p "$logs"
rm -rf "${logs:?}"/*
: >"$results"

# halt_on_error: a report is a failure, not a remark.
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-halt_on_error=1:print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS-halt_on_error=1:second_deadlock_stack=1}
# gcc 12's and clang 14's ThreadSanitizer don't know the wider address randomisation of newer kernels.
fixed_addresses=
! setarch -R true 2>/dev/null || fixed_addresses="setarch -R"

# note SUITE LOG: takes tally lines ("pass|fail|skip NAME") from standard input.
note() {
	local suite=$1 log=$2 kind name
	while read -r kind name; do
		printf '%s\t%s\t%s\t%s\n' "$kind" "$suite" "$name" "$log" >>"$results"
	done
}

heading() {
	printf '== %s (%d s)\n' "$1" "$SECONDS"
}

# summary SUITE: one line of counts.
summary() {
	awk -F'\t' -v suite="$1" '
		$2 == suite { n[$1]++ }
		END { printf "   %d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"] }
	' "$results"
}

# build DIR COMPILER OPTION...: a build that can't be had is one failure, and its suites don't run.
build() {
	local dir=$1 compiler=$2 log=$logs/$1.log
	shift 2
	# Configured anew each time: Meson looks for floors and tests that came or went only then.
	[ ! -f "$dir/build.ninja" ] || set -- --reconfigure "$@"
	if CC=$compiler meson setup "$dir" "$@" >"$log" 2>&1 &&
	    ninja -C "$dir" >>"$log" 2>&1; then
		return 0
	fi
	echo "fail the build" | note "$dir" "$log"
	tail -n 30 "$log"
	return 1
}

# run_meson SUITE BUILD MESON-SUITE [WRAPPER]
run_meson() {
	local suite=$1 dir=$2 meson_suite=$3 wrapper=${4-} log=$logs/$1.log
	rm -f "$dir/meson-logs/testlog.json"
	# shellcheck disable=SC2086	# the wrapper is words
	$wrapper meson test -C "$dir" --no-rebuild --suite "$meson_suite" --print-errorlogs \
	    ${long:+--timeout-multiplier 10} >"$log" 2>&1
	if [ -f "$dir/meson-logs/testlog.json" ]; then
		python3 tests/tally.py meson "$dir/meson-logs/testlog.json" | note "$suite" "$log"
	elif ! grep -q '^No suitable tests' "$log"; then
		echo "fail meson test" | note "$suite" "$log"
	fi
}

run_layering() {
	local check log
	for check in layering conformance; do
		log=$logs/$check.log
		if python3 "tests/$check.py" . >"$log" 2>&1; then
			echo "pass $check"
		else
			echo "fail $check"
		fi | note layering "$log"
		cat "$log"
	done
}

run_format() {
	local log=$logs/format.log
	if find src include tests fuzz bench examples -name '*.[ch]' -print0 2>/dev/null |
	    xargs -0 -r clang-format --dry-run --Werror >"$log" 2>&1; then
		echo "pass format"
	else
		echo "fail format"
	fi | note format "$log"
	sed -n 's/: code should be clang-formatted.*//p' "$log" | cut -d: -f1 | uniq -c | sed 's/^/   /'
}

# one_program SUITE BUILD LIMIT NAME COMMAND...: runs it with a time limit, counts its TAP (or, where
# it says none, its exit status), shows what it wrote if it failed.
one_program() {
	local suite=$1 dir=$2 limit=$3 name=$4 log=$logs/$1-$4.log status
	shift 4
	WARREN=$PWD/$dir/warren BUILD=$PWD/$dir timeout -k 10 "$limit" "$@" </dev/null >"$log" 2>&1
	status=$?
	python3 tests/tally.py tap "$log" "$status" "$name" >"$log.tally"
	note "$suite" "$log" <"$log.tally"
	if grep -q '^fail' "$log.tally"; then
		printf -- '-- %s %s (exit status %d):\n' "$suite" "$name" "$status"
		tail -n 20 "$log"
	fi
	rm -f "$log.tally"
}

# beside COMMAND...: what shares nothing with others, as many at once as there are processors.
running=0
beside() {
	if [ "$running" -ge "$(nproc)" ]; then
		wait -n
		running=$((running - 1))
	fi
	"$@" &
	running=$((running + 1))
}
all_done() {
	wait
	running=0
}

# run_labs SUITE BUILD
run_labs() {
	local suite=$1 dir=$2 lab
	for lab in tests/lab/*.lab.yml examples/*.lab.yml; do
		[ -f "$lab" ] || continue
		beside one_program "$suite" "$dir" 120 "$(basename "$lab" .lab.yml)" "$dir/warren" test "$lab"
	done
	all_done
}

# run_programs SUITE BUILD FOLDER [WRAPPER]: one beside the other, the longest texts first (they have
# most to do), and then alone those that say that they measure time. Sanitizers have no time to measure.
run_programs() {
	local suite=$1 dir=$2 folder=$3 wrapper=${4-} limit=${long:+1800} program alone=
	# shellcheck disable=SC2012,SC2045	# names are ours
	for program in $(ls -S "$folder"/*); do
		[ -f "$program" ] && [ -x "$program" ] || continue
		if grep -q '^# Measures time' "$program"; then
			alone="$alone $program"
			continue
		fi
		# shellcheck disable=SC2086	# the wrapper is words
		beside one_program "$suite" "$dir" "${limit:-180}" "$(basename "$program")" $wrapper "$program"
	done
	all_done
	[ "$dir" = build ] || return 0
	for program in $alone; do
		# shellcheck disable=SC2086	# the wrapper is words
		one_program "$suite" "$dir" "${limit:-180}" "$(basename "$program")" $wrapper "$program"
	done
}

# A network of one's own: root of a new user namespace, so that nothing can be left behind. mount
# and pid too, for /sys and for what a test forgot to stop.
run_interop() {
	local suite=$1 dir=$2 own="unshare --user --map-root-user --net --mount --pid --fork --kill-child"
	if ! $own true 2>"$logs/$suite.log"; then
		own="unshare --net --mount --pid --fork --kill-child"
		if ! $own true 2>>"$logs/$suite.log"; then
			for program in tests/interop/*; do
				[ -x "$program" ] && [ -f "$program" ] || continue
				echo "skip $(basename "$program"): no user namespaces here"
			done | note "$suite" "$logs/$suite.log"
			return
		fi
	fi
	run_programs "$suite" "$dir" tests/interop "$own --mount-proc"
}

run_libfuzzer() {
	local target name
	for target in build-fuzz/fuzz/fuzz_*; do
		[ -f "$target" ] && [ -x "$target" ] || continue
		name=$(basename "$target")
		mkdir -p "build-fuzz/corpus/$name" "fuzz/corpus/${name#fuzz_}"
		one_program libfuzzer build-fuzz 180 "$name" "$target" -max_total_time=120 -timeout=10 \
		    -artifact_prefix=build-fuzz/ "build-fuzz/corpus/$name" "fuzz/corpus/${name#fuzz_}"
		rmdir "fuzz/corpus/${name#fuzz_}" 2>/dev/null
	done
}

main_build=
case " $suites " in
*" unit "* | *" fuzz "* | *" cli "* | *" labs "* | *" interop "* | *" replay "*)
	heading build
	if build build gcc; then
		main_build=ok
	fi
	;;
esac

for suite in $suites; do
	heading "$suite"
	case $suite in
	layering)
		run_layering
		;;
	format)
		run_format
		;;
	unit | fuzz | cli | labs | interop | replay)
		[ -n "$main_build" ] || continue
		case $suite in
		unit | fuzz | cli)
			run_meson "$suite" build "$suite"
			;;
		labs)
			run_labs labs build
			;;
		interop)
			run_interop interop build
			;;
		replay)
			run_programs replay build tests/replay
			;;
		esac
		;;
	asan)
		build build-asan clang -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false \
		    -Dc_args=-fno-sanitize-recover=undefined || continue
		run_meson asan-unit build-asan unit
		summary asan-unit
		run_meson asan-fuzz build-asan fuzz
		summary asan-fuzz
		run_meson asan-cli build-asan cli
		summary asan-cli
		run_labs asan-labs build-asan
		summary asan-labs
		run_interop asan-interop build-asan
		summary asan-interop
		run_programs asan-replay build-asan tests/replay
		summary asan-replay
		continue
		;;
	tsan)
		build build-tsan gcc -Db_sanitize=thread -Dbench=false || continue
		run_meson tsan build-tsan threads "$fixed_addresses"
		;;
	libfuzzer)
		build build-fuzz clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
		    -Dbench=false || continue
		run_libfuzzer
		;;
	*)
		echo "run.sh: $suite: no such suite" >&2
		exit 2
		;;
	esac
	summary "$suite"
done

passed=$(grep -c '^pass' "$results")
failed=$(grep -c '^fail' "$results")
skipped=$(grep -c '^skip' "$results")

if [ "$skipped" -gt 0 ]; then
	printf '\nskipped (%d):\n' "$skipped"
	awk -F'\t' '$1 == "skip" { printf "   %s: %s\n", $2, $3 }' "$results"
fi
if [ "$failed" -gt 0 ]; then
	printf '\nfailed:\n'
	awk -F'\t' '$1 == "fail" { printf "   %s: %s\n      %s\n", $2, $3, $4 }' "$results"
fi
printf '\n%d s\n' "$SECONDS"
printf '%d passed, %d failed\n' "$passed" "$failed" | tee "$logs/summary"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

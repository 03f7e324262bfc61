# The short door to the house. The build itself is Meson's: see meson.build.
#
#	make			packages if any are missing, then build/warren
#	make demo		builds, runs two example networks, says where their captures are
#	make check		every suite (tests/run.sh lists them); SUITES="unit labs" for some
#	make check-long		the same with longer limits, and libFuzzer on every target
#	make bench [BENCH=x]	measures, writes build/bench.json
#	make format		lays the C out by .clang-format
#	make clean

# Folders of floors and tests come and go; Meson looks for them only when it configures.
MESON_FILES := meson.build meson_options.txt $(wildcard include/*.h) $(wildcard src/meson.build src/*/meson.build) \
	$(wildcard src/cli/main.c) $(wildcard tests/meson.build tests/*/meson.build bench/meson.build tools/meson.build fuzz/meson.build)
TESTS := $(wildcard tests/unit/test_*.c) $(wildcard bench/bench_*.c) $(wildcard fuzz/fuzz_*.c)
DEMOS := office replay

all: deps build/build.ninja
	@ninja -C build

# Whoever may not install packages builds with those that are there.
deps:
	@./install-deps.sh || echo "make: going on with the packages that are there" >&2

# configured remembers what was there, so that a file that came or went configures again.
build/build.ninja: build/configured
	@if [ -f $@ ]; then meson setup --reconfigure build; else meson setup build; fi >build/setup.log || \
		{ cat build/setup.log; exit 1; }
	@touch $@

build/configured: FORCE | deps
	@mkdir -p build
	@echo '$(sort $(MESON_FILES) $(TESTS))' | cmp -s - $@ || echo '$(sort $(MESON_FILES) $(TESTS))' >$@

demo: all
	@mkdir -p build/demo
	@set -e; for demo in $(DEMOS); do \
		printf '\n== warren run examples/%s.lab.yml\n' $$demo; \
		( cd build/demo && ../warren run ../../examples/$$demo.lab.yml ); \
	done
	@printf '\nCaptures (open with tshark -r or Wireshark):\n'
	@find build/demo examples -name '*.pcap*' -newer build/configured | sort | sed 's/^/  /'

check: deps build/build.ninja
	@tests/run.sh $(SUITES)

check-long: deps build/build.ninja
	@tests/run.sh --long $(SUITES)

# With the peers' libraries, whose programs Meson builds where it finds them.
bench: deps
	@pkg-config --exists libdpdk || { ./install-deps.sh --bench && rm -f build/configured; } || \
		echo "make: going on without peers" >&2
	@$(MAKE) --no-print-directory all
	@python3 bench/run.py --build build --out build/bench.json $(BENCH)

format:
	@find src include tests fuzz bench tools examples -name '*.[ch]' -print0 2>/dev/null | xargs -0 -r clang-format -i

clean:
	rm -rf build build-asan build-tsan build-fuzz

FORCE:
.PHONY: all deps demo check check-long bench format clean FORCE

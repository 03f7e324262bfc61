#!/usr/bin/env python3
"""Counts results for tests/run.sh.

usage: tally.py meson TESTLOG.json     what `meson test` wrote
       tally.py tap LOG STATUS NAME    a TAP stream and the exit status of the program that wrote it

Writes one line a result, "pass|fail|skip NAME". A program that exits non-zero, or that ends before
its plan, without saying which test failed, counts as one failure: nothing that died is left out.
A program that exits 77 without saying more was skipped.
"""
import json
import re
import sys

RESULT = re.compile(r'^(not )?ok\b\s*(\d+)?\s*-?\s*(.*)$')
PLAN = re.compile(r'^1\.\.(\d+)')
SKIP_STATUS = 77


def tap(lines):
    """(results, planned, bailed) of a TAP stream; results are (kind, name)."""
    results, planned, bailed = [], None, False
    for line in lines:
        line = line.rstrip()
        if line.startswith('Bail out!'):
            bailed = True
        plan = PLAN.match(line)
        if plan:
            # cmocka writes one plan a group of tests.
            planned = (planned or 0) + int(plan[1])
        found = RESULT.match(line)
        if not found:
            continue
        name, _, directive = found[3].partition('#')
        directive = directive.strip().lower()
        if directive.startswith('skip'):
            kind = 'skip'
        elif directive.startswith('todo'):
            kind = 'skip'
        else:
            kind = 'fail' if found[1] else 'pass'
        name = name.strip() or directive.partition(' ')[2] or found[2] or '?'
        results.append((kind, name))
    return results, planned, bailed


def judge(lines, failed, why, name):
    """The results of one program whose own end was good (not failed) or bad, with the reason."""
    results, planned, bailed = tap(lines)
    results = [(kind, f'{name}: {test}') for kind, test in results]
    short = planned is not None and len(results) < planned
    if bailed or short or (failed and not any(kind == 'fail' for kind, _ in results)):
        if bailed:
            why = 'bailed out'
        elif short:
            why = f'ended after {len(results)} of {planned} tests' + (f' ({why})' if why else '')
        results.append(('fail', f'{name}: {why}'))
    elif not results and planned == 0:
        results.append(('skip', name))
    elif not results:
        results.append(('pass', name))
    return results


def meson(path):
    for line in open(path, encoding='utf-8', errors='replace'):
        test = json.loads(line)
        name = test['name'].split(' / ')[-1]
        result = test['result']
        if result in ('SKIP', 'IGNORED'):
            yield 'skip', name
            continue
        bad = result not in ('OK', 'EXPECTEDFAIL')
        yield from judge((test.get('stdout') or '').splitlines(), bad,
                         f'{result.lower()}, exit status {test.get("returncode")}' if bad else '', name)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == 'meson':
        results = meson(sys.argv[2])
    elif len(sys.argv) == 5 and sys.argv[1] == 'tap':
        log, status, name = sys.argv[2], int(sys.argv[3]), sys.argv[4]
        lines = open(log, encoding='utf-8', errors='replace').read().splitlines()
        if status == SKIP_STATUS and not tap(lines)[0]:
            results = [('skip', name)]
        else:
            results = judge(lines, status != 0, f'exit status {status}' if status else '', name)
    else:
        sys.exit(__doc__)
    for kind, name in results:
        print(kind, name)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""docs/ipv6-conformance.md says the truth: each test that a row names exists and is run.

usage: conformance.py [ROOT]

A row is `| section | point | tests |`. The third cell names test functions of tests/unit/ in
backquotes, or begins with "not done: " and says why. A test counts if its file defines it and hands
it to cmocka. Tests of the files test_conformance_*.c stand for a row each: one that no row names is
a fault too. Prints one line, FILE:LINE: what is wrong, for each fault and exits 1 if there was any.
"""
import pathlib
import re
import sys

PAGE = 'docs/ipv6-conformance.md'
DEFINED = re.compile(r'^(test_\w+)\(void \*\*state\)', re.M)
RUN = re.compile(r'_(?:TEST|teardown)\(\s*(test_\w+)\b|cmocka_unit_test\(\s*(test_\w+)\b')
NAMES = re.compile(r'`(test_\w+)`(?:, `(test_\w+)`)*')
NOT_DONE = 'not done: '
SEPARATOR = re.compile(r'\|(-+\|)+')


def tests_of(path):
    """The tests that a file both defines and runs."""
    text = path.read_text()
    return set(DEFINED.findall(text)) & {name for pair in RUN.findall(text) for name in pair}


def rows(page):
    """Number and cells of each row of each table, without the heads."""
    in_table = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not line.startswith('|'):
            in_table = False
        elif SEPARATOR.fullmatch(line):
            in_table = True
        elif in_table:
            yield number, [cell.strip() for cell in line.strip('|').split('|')]


def row_faults(cells, known):
    if len(cells) != 3 or not all(cells):
        yield 'a row has a section, a point and its tests'
    elif cells[2].startswith(NOT_DONE):
        if len(cells[2]) < len(NOT_DONE) + 20:
            yield 'why is it not done?'
    elif not NAMES.fullmatch(cells[2]):
        yield f'neither names of tests nor "{NOT_DONE}": {cells[2]}'
    else:
        for name in re.findall(r'test_\w+', cells[2]):
            if name not in known:
                yield f'{name}: no test of tests/unit runs under this name'


def faults(root):
    page = root / PAGE
    files = {path: tests_of(path) for path in sorted((root / 'tests/unit').glob('test_*.c'))}
    known = set().union(*files.values())
    named = set()
    for number, cells in rows(page):
        for fault in row_faults(cells, known):
            yield PAGE, number, fault
        named.update(re.findall(r'test_\w+', cells[-1]))
    if not named:
        yield PAGE, 1, 'no row names a test'
    for path, tests in files.items():
        if path.name.startswith('test_conformance_'):
            for name in sorted(tests - named):
                yield path.relative_to(root), 1, f'{name}: no row of {PAGE} names it'


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.')
    n = 0
    for path, line, fault in faults(root):
        print(f'{path}:{line}: {fault}')
        n += 1
    return 1 if n else 0


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
"""The house keeps its shape: floors include downwards only, files stay readable, no grab-bags.

usage: layering.py [ROOT]

Prints one line, FILE:LINE: what is wrong, for each violation and exits 1 if there was any.
"""
import pathlib
import re
import sys

# Lowest first; meson.build holds the same list.
FLOORS = ['base', 'kern', 'net', 'route', 'inet', 'inet6', 'dummynet', 'ipfw', 'port', 'control',
          'lab', 'cli']
# The embedding API stands on control, the layout of datagrams on ipfw; floors below don't know them.
PUBLIC = {'warren.h': 'control', 'warren-divert.h': 'ipfw'}
TREES = ['src', 'include', 'tests', 'fuzz', 'bench', 'tools', 'examples']
CODE = {'.c', '.h', '.py', '.sh'}
MAX_LINES = 1000
GRAB_BAGS = {'util', 'utils', 'common', 'misc', 'helper', 'helpers', 'stuff'}

INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')


def include_fault(src, path, name):
    """What is wrong with path's including "name", or None."""
    floor = path.relative_to(src).parts[0]
    if name in PUBLIC:
        wanted = PUBLIC[name]
    elif '..' in name.split('/'):
        return f'"{name}": write the path from src/'
    elif '/' not in name:
        return None if (path.parent / name).exists() else f'"{name}": not in this folder'
    else:
        wanted = name.split('/')[0]
    if wanted not in FLOORS:
        return f'"{name}": no such floor'
    if FLOORS.index(wanted) > FLOORS.index(floor):
        return f'"{name}": {floor}/ is below {wanted}/'
    return None


def check_includes(src):
    for path in sorted(src.glob('*/**/*.[ch]')):
        floor = path.relative_to(src).parts[0]
        if floor not in FLOORS:
            yield path, 1, f'{floor}/ is no floor of the house'
            continue
        for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
            found = INCLUDE.match(line)
            if found and found[1] == '"':
                fault = include_fault(src, path, found[2])
                if fault:
                    yield path, number, fault


def check_files(root):
    for tree in TREES:
        for path in sorted((root / tree).rglob('*')):
            if path.suffix not in CODE or not path.is_file():
                continue
            if GRAB_BAGS & set(re.split(r'[_.-]', path.stem)):
                yield path, 1, 'a grab-bag by its name: a helper lives with the concept it serves'
            lines = path.read_bytes().count(b'\n')
            if lines > MAX_LINES:
                yield path, lines, f'{lines} lines: a file holds one room, {MAX_LINES} at most'


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
    faults = [*check_includes(root / 'src'), *check_files(root)]
    for path, line, text in faults:
        print(f'{path.relative_to(root)}:{line}: {text}')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())

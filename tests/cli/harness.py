"""What the tests of the command line share: a daemon on a socket of its own, and TAP.

Each test is a function whose name is a sentence; `main` runs those of the caller in the order in which
they stand and prints one TAP line for each. WARREN is the program under test.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

WARREN = os.path.abspath(os.environ.get('WARREN', 'build/warren'))
PATIENCE = 30  # seconds after which something that must happen has not


class Skip(Exception):
    """Cannot be tested here; the text says why."""


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f'status {self.status}, out {self.out!r}, err {self.err!r}'

    def ok(self):
        assert self.status == 0, self
        return self

    def json(self):
        assert self.status == 0, self
        return json.loads(self.out)


class Place:
    """A folder of its own with an environment that leads nowhere else."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='warren-cli-', dir='/tmp')
        self.socket = f'{self.folder}/run/ctl'
        self.env = dict(os.environ, WARREN_SOCKET=self.socket, HOME=self.folder,
                        XDG_STATE_HOME=f'{self.folder}/state')
        self.env.pop('WARREN_JAIL', None)
        self.daemons = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.kill()
            daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words, env=(), cwd=None, stdin=None, program=WARREN):
        """Words, or one line that is split at blanks."""
        if len(words) == 1:
            words = words[0].split()
        done = subprocess.run([program, *words], env={**self.env, **dict(env)},
                              cwd=cwd or self.folder, input=stdin, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *words):
        """A process in the foreground."""
        process = subprocess.Popen([WARREN, *words], env=self.env, cwd=self.folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.daemons.append(process)
        return process

    def up(self, *words):
        """`warren up` in the foreground, when it answers."""
        process = self.start('up', *words)
        line = process.stdout.readline()
        assert 'answers at' in line, (line, process.stderr.read() if not line else '')
        return process


def end(process, how=signal.SIGTERM):
    """Stop a daemon; what it said on standard error. Its exit status must be 0: leaks are none."""
    process.send_signal(how)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (process.returncode, err)
    return err


def until(true, what):
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f'{what}: did not happen'
        time.sleep(0.01)


def main():
    tests = [f for name, f in vars(sys.modules['__main__']).items()
             if name.startswith('test_') and callable(f)]
    failed = 0
    print(f'1..{len(tests)}', flush=True)
    for number, test in enumerate(tests, 1):
        name = test.__name__.removeprefix('test_').replace('_', ' ')
        try:
            test()
            print(f'ok {number} - {name}', flush=True)
        except Skip as why:
            print(f'ok {number} - {name} # SKIP {why}', flush=True)
        except Exception:  # a failed test is told, and the others run
            failed += 1
            print(f'not ok {number} - {name}')
            for line in traceback.format_exc().splitlines():
                print(f'# {line}', flush=True)
    sys.exit(1 if failed else 0)

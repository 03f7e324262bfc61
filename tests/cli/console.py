#!/usr/bin/env python3
"""The console, driven through a pseudo-terminal and through a pipe; links and completion for shells."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

from harness import PATIENCE, WARREN, Place, Skip, end, main

LAB = '''\
name: two
nodes:
  r1: {}
  r2: {}
links:
  - endpoints: ["r1:eth0", "r2:eth0"]
'''


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, place, *words):
        self.seen = ''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(place.folder)
            os.execve(WARREN, [WARREN, *words], dict(place.env, TERM='dumb'))

    def expect(self, pattern):
        """Read until the pattern comes; what came up to and with it."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f'{pattern!r} did not come; came: {self.seen!r}'
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b''
            assert data, f'{pattern!r} did not come before the end; came: {self.seen!r}'
            self.seen += data.decode(errors='replace').replace('\r', '')
        text, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return text

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, key=''):
        """
        The exit status, when the program has ended. The key is typed again each second: libedit shows its
        prompt just before it takes over the terminal, and a ^D in between becomes a letter of the line (which
        is why ^U comes before it).
        """
        deadline = time.monotonic() + PATIENCE
        self.type(key)
        while time.monotonic() < deadline:
            if not select.select([self.fd], [], [], 1)[0]:
                self.type(key)
                continue
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        if time.monotonic() >= deadline:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_console_runs_tools_in_the_daemon():
    with Place() as p:
        daemon = p.up()
        t = Terminal(p, 'console')
        t.expect('host# ')
        t.type('jail -c name=r1 vnet persist\n')
        t.expect('host# ')
        t.type('cd r1\n')
        t.expect('r1# ')
        t.type('sysctl security.jail.jailed\n')
        t.expect('security.jail.jailed: 1\n')
        t.type('cd nowhere\n')
        t.expect('cd: jail "nowhere" not found\n')
        t.expect('r1# ')
        t.type('cd\n')
        t.expect('host# ')
        t.type('run 5s\n')
        t.expect("the daemon's time passes by itself")
        t.type('exit\n')
        t.end()
        end(daemon)


def test_console_completes_tools_and_jails():
    with Place() as p:
        daemon = p.up()
        p.run('jail -c name=office vnet persist').ok()
        t = Terminal(p, 'console')
        t.expect('host# ')
        t.type('sysc\tsecurity.jail.jailed\n')
        t.expect('security.jail.jailed: 0\n')
        t.type('jexec off\tsysctl security.jail.jailed\n')
        t.expect('security.jail.jailed: 1\n')
        t.type('cd off\t\n')
        t.expect('office# ')
        t.type('kld\t')
        t.expect('kldload.*kldstat')
        t.type('stat\n')
        t.expect('office# ')
        t.type('exit\n')
        t.end()
        end(daemon)


def test_console_remembers_lines():
    with Place() as p:
        daemon = p.up()
        os.mkdir(f'{p.folder}/state')
        t = Terminal(p, 'console')
        t.expect('host# ')
        t.type('sysctl -n kern.features.vimage\n')
        t.expect('\n1\n')
        t.type('exit\n')
        t.end()
        t = Terminal(p, 'console')
        t.expect('host# ')
        t.type('\x10\x10\n')
        t.expect('\n1\n')
        t.expect('host# ')
        status = t.end('\x15\x04')
        assert status == 0, status
        end(daemon)


def test_console_interrupt_ends_the_command_and_not_the_console():
    with Place() as p:
        daemon = p.up()
        p.run('ifconfig lo0 inet 127.0.0.1/8 up').ok()
        t = Terminal(p, 'console')
        t.expect('host# ')
        t.type('ping -i 0.05 127.0.0.1\n')
        t.expect('icmp_seq=2')
        t.type('\x03')
        t.expect('packets received')
        t.expect('host# ')
        t.type('half a line\x03')
        t.expect('host# ')
        t.type('sysctl -n kern.features.vimage\n')
        t.expect('\n1\n')
        t.type('exit\n')
        assert t.end() == 0
        end(daemon)


def test_console_reads_a_script_and_ends_with_the_last_status():
    with Place() as p:
        daemon = p.up()
        r = p.run('console', stdin='jail -c name=r1 vnet persist\n# a comment\n\ncd r1\n'
                  'sysctl -n security.jail.jailed\n').ok()
        assert r.out == '1\n', r
        r = p.run('console', stdin='sysctl no.such.name\n')
        assert r.status == 1 and r.err, r
        r = p.run('console', stdin="sysctl 'open\n")
        assert r.status == 2, r
        end(daemon)


def test_console_with_a_lab_stands_in_virtual_time():
    with Place() as p:
        with open(f'{p.folder}/two.lab.yml', 'w', encoding='ascii') as f:
            f.write(LAB)
        if p.run('check two.lab.yml').status != 0:
            raise AssertionError(p.run('check two.lab.yml'))
        r = p.run('console', 'two.lab.yml', stdin='run 3600s\ncd r1\nsysctl -n security.jail.jailed\n').ok()
        assert r.out == '1\n', r
        t = Terminal(p, 'console', 'two.lab.yml')
        t.expect(r'\[0\.000s\] host# ')
        t.type('run 90s\n')
        t.expect(r'\[90\.000s\] host# ')
        t.type('jexec r1 ifconfig lo0 inet 127.0.0.1/8 up\n')
        t.expect('host# ')
        t.type('jexec r1 ping -c 10 127.0.0.1\n')
        t.expect('10 packets received')
        t.expect(r'\[9\d\.\d{3}s\] host# ')
        t.type('jexec r1 ping -q 127.0.0.1\n')
        t.expect('data bytes')
        t.type('\x03')
        t.expect('packet loss')
        t.type('exit\n')
        t.end()


def test_env_puts_the_tools_on_the_path_of_each_shell():
    with Place() as p:
        env = {'XDG_RUNTIME_DIR': p.folder, 'PATH': os.environ['PATH']}
        daemon = p.up()
        for shell in ('sh', 'bash', 'csh', 'tcsh', 'fish', 'zsh'):
            if shutil.which(shell) is None:
                continue
            kind = {'csh': 'csh', 'tcsh': 'csh', 'fish': 'fish'}.get(shell, 'sh')
            words = p.run('env', '--shell', kind, env=env).ok().out
            done = subprocess.run([shell, '-c', f'{words}\nsysctl -n kern.features.vimage'],
                                  env={**p.env, **env}, capture_output=True, text=True,
                                  timeout=PATIENCE, check=False)
            assert done.stdout == '1\n', (shell, done)
        links = os.listdir(f'{p.folder}/warren/bin')
        assert 'ifconfig' in links and 'jexec' in links, links
        # An old link to a tool that is gone is taken away; made again it is the same.
        os.symlink('/nowhere', f'{p.folder}/warren/bin/oldtool')
        p.run('env', env=env).ok()
        assert sorted(os.listdir(f'{p.folder}/warren/bin')) == sorted(links)
        end(daemon)


def test_env_refuses_a_folder_that_others_can_write():
    with Place() as p:
        os.mkdir(f'{p.folder}/warren')
        os.chmod(f'{p.folder}/warren', 0o777)
        r = p.run('env', env={'XDG_RUNTIME_DIR': p.folder})
        assert r.status == 3, r


def test_bash_completes_tools_jails_and_options():
    bash = shutil.which('bash')
    if bash is None:
        raise Skip('no bash')
    here = os.path.dirname(os.path.abspath(__file__))
    with Place() as p:
        daemon = p.up()
        p.run('jail -c name=office vnet persist').ok()

        def complete(line):
            words = line.split(' ')
            script = (f'source {here}/../../share/completion/warren.bash\n'
                      f'COMP_WORDS=({" ".join(repr(w) for w in words)})\n'
                      f'COMP_CWORD={len(words) - 1}\n_warren 2>/dev/null\nprintf "%s\\n" "${{COMPREPLY[@]}}"\n')
            done = subprocess.run([bash, '-c', script], env=dict(p.env, PATH=f'{p.folder}:{os.environ["PATH"]}'),
                                  capture_output=True, text=True, timeout=PATIENCE, check=True)
            return done.stdout.split()
        os.symlink(WARREN, f'{p.folder}/warren')
        assert complete('warren sysc') == ['sysctl']
        assert 'up' in complete('warren u')
        assert complete('warren jexec of') == ['office']
        assert complete('warren -j office sysc') == ['sysctl']
        assert complete('jexec of') == ['office']
        assert complete('warren --js') == ['--json']
        assert complete('warren help sysc') == ['sysctl']
        end(daemon)
        assert complete('warren sysc') == ['sysctl']


if __name__ == '__main__':
    main()

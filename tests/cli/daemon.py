#!/usr/bin/env python3
"""The daemon and its clients: warren up, tools through the socket, who may come in, how it ends."""
import json
import os
import signal
import socket
import stat
import struct
import subprocess

from harness import PATIENCE, WARREN, Place, Skip, end, main, until


def test_tools_work_through_the_socket():
    with Place() as p:
        daemon = p.up()
        p.run('jail -c name=r1 vnet persist').ok()
        p.run('jail -c name=r2 vnet persist').ok()
        assert p.run('ifconfig epair create').ok().out == 'epair0a\n'
        p.run('ifconfig epair0a vnet r1').ok()
        p.run('ifconfig epair0b vnet r2').ok()
        assert 'epair' not in p.run('ifconfig -l').ok().out
        p.run('-j r1 ifconfig epair0a inet 10.0.0.1/24 up').ok()
        p.run('jexec r2 ifconfig epair0b inet 10.0.0.2/24 up').ok()
        assert 'inet 10.0.0.1 netmask 0xffffff00' in p.run('jexec r1 ifconfig epair0a').ok().out
        answer = p.run('-j r1 ping -c 2 -i 0.01 10.0.0.2').ok().out
        assert '2 packets transmitted, 2 packets received, 0.0% packet loss' in answer
        assert '10.0.0.0/24' in p.run('-j r1 netstat -rn').ok().out
        assert 'Name ' in p.run('-j r1 netstat -i').ok().out
        assert p.run('sysctl -n kern.features.vimage').ok().out == '1\n'
        end(daemon)


def test_jail_comes_from_the_option_the_tool_or_the_environment():
    with Place() as p:
        daemon = p.up()
        p.run('jail -c name=r1 vnet persist').ok()
        jailed = 'sysctl -n security.jail.jailed'
        assert p.run(jailed).ok().out == '0\n'
        assert p.run('-j r1 ' + jailed).ok().out == '1\n'
        assert p.run('--jail=r1 ' + jailed).ok().out == '1\n'
        assert p.run('jexec r1 ' + jailed).ok().out == '1\n'
        assert p.run(jailed, env={'WARREN_JAIL': 'r1'}).ok().out == '1\n'
        gone = p.run('-j nobody ' + jailed)
        assert gone.status == 1 and gone.err == 'sysctl: jail "nobody" not found\n', gone
        end(daemon)


def test_saved_state_is_read_without_a_daemon():
    with Place() as p:
        daemon = p.up()
        p.run('jail -c name=r1 vnet persist').ok()
        p.run('-j r1 sysctl net.inet.ip.ttl=77').ok()
        p.run('savecore state').ok()
        queues = p.run('netstat -Q').ok().out
        end(daemon)
        assert p.run('netstat -Q -M state').ok().out == queues
        assert p.run('sysctl -n -M state net.inet.ip.ttl').ok().out == '64\n'
        assert p.run('sysctl -n -M state -j r1 net.inet.ip.ttl').ok().out == '77\n'
        assert p.run('-j r1 sysctl -nM state net.inet.ip.ttl').ok().out == '77\n'
        for words in ('--json netstat -i -M state', 'netstat --libxo json -i -M state',
                      'netstat -i -M state --json'):
            assert json.loads(p.run(words).ok().out)['statistics']['interface'][0]['name'] == 'lo0'
        gone = p.run('netstat -Q -M nowhere')
        assert gone.status == 1 and gone.err == 'netstat: nowhere: No such file or directory\n', gone


def test_setfib_chooses_a_fib_and_refuses_one_that_is_not_there():
    with Place() as p:
        daemon = p.up('-o', 'net.fibs=2')
        p.run('ifconfig lo0 inet 127.0.0.1/8 up').ok()
        p.run('setfib 1 route add 192.0.2.0/24 127.0.0.1').ok()
        assert '192.0.2.0/24' in p.run('setfib 1 netstat -rn').ok().out
        assert '192.0.2.0/24' in p.run('--fib 1 netstat -rn').ok().out
        assert '192.0.2.0/24' not in p.run('netstat -rn').ok().out
        assert p.run('setfib 2 netstat -rn').status == 64
        end(daemon)


def test_json_parses_wherever_it_is_asked_for():
    with Place() as p:
        daemon = p.up()
        p.run('ifconfig lo0 inet 127.0.0.1/8 up').ok()
        for words in ('--json ifconfig lo0', 'ifconfig --json lo0', 'ifconfig lo0 --libxo json',
                      '--libxo json ifconfig lo0', 'ifconfig --libxo json lo0'):
            names = [i['name'] for i in p.run(words).json()['interface']]
            assert names == ['lo0'], (words, names)
        for words in ('netstat -rn', 'netstat -i', 'netstat -s', 'netstat -m', 'netstat -Q', 'jls',
                      'sysctl -a', 'arp -a', 'ping -c 1 127.0.0.1', 'kldstat', 'show all ifnets'):
            p.run('--json ' + words).json()
        for words in ('help', 'version', 'help ifconfig', 'env'):
            p.run('--json ' + words, env={'XDG_RUNTIME_DIR': p.folder}).json()
        end(daemon)


def test_wrong_words_say_so_and_change_nothing():
    with Place() as p:
        daemon = p.up()
        p.run('ifconfig epair create').ok()
        before = p.run('ifconfig -a').ok().out, p.run('netstat -rn').ok().out
        wrong = {
            'ifconfig nosuch0': 1,
            'ifconfig epair0a mtu 20x': 1,
            'ifconfig epair0a inet 10.0.0.300/24': 1,
            'ifconfig epair0a inet 10.0.0.1/33': 1,
            'ifconfig epair0a up nosuchword': 1,
            'ifconfig epair0a vnet nosuchjail': 1,
            'sysctl no.such.name': 1,
            'sysctl net.inet.ip.ttl=0': 1,
            'sysctl net.inet.ip.ttl=many': 1,
            'route add 10.0.0.0/8 192.0.2.1': 1,
            'ping -c 0x 127.0.0.1': 64,
            'nosuchtool': 2,
        }
        for words, status in wrong.items():
            r = p.run(words)
            assert r.status == status, (words, r)
            assert r.err, (words, r)
        after = p.run('ifconfig -a').ok().out, p.run('netstat -rn').ok().out
        assert before == after, (before, after)
        end(daemon)


def test_without_a_daemon_tools_say_how_to_start_one():
    with Place() as p:
        r = p.run('ifconfig -a')
        assert r.status == 3, r
        assert r.err == (f'warren: no daemon answers at {p.socket} (start one with: warren up)\n'), r
        assert p.run('down').status == 3
        assert p.run('console').status == 3


def test_words_of_the_program_itself_answer_2():
    with Place() as p:
        for words in (['-x'], ['-j'], ['up', 'a', 'b'], ['up', '--for', '5s'], ['run'], ['test'],
                      ['down', 'x'], ['env', '--shell', 'cmd'], ['run', '/no/such/file']):
            r = p.run(*words) if len(words) > 1 else p.run(words[0])
            assert r.status == 2 and r.err, (words, r)
        assert p.run('ifconfi').err.startswith("warren: no tool 'ifconfi' (did you mean ifconfig?)")
        assert subprocess.run([WARREN], capture_output=True, check=False).returncode == 2


def test_socket_is_for_its_owner_alone():
    with Place() as p:
        daemon = p.up()
        mode = os.lstat(p.socket).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)
        folder = os.lstat(os.path.dirname(p.socket)).st_mode
        assert stat.S_IMODE(folder) == 0o700, oct(folder)
        end(daemon)
        assert not os.path.exists(p.socket)


def test_another_user_is_refused():
    if os.geteuid() != 0:
        raise Skip('needs root to be two users')
    if subprocess.run(['setpriv', '--reuid', '65534', '--clear-groups', 'true'], capture_output=True,
                      check=False).returncode != 0:
        raise Skip('needs setpriv and a second user')
    with Place() as p:
        daemon = p.up()
        # Even where the modes of socket and folder would let him in.
        os.chmod(p.folder, 0o755)
        os.chmod(os.path.dirname(p.socket), 0o755)
        os.chmod(p.socket, 0o666)
        code = ('import socket, struct, sys\n'
                's = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n'
                'head = s.recv(8)\n'
                'length, kind = struct.unpack(">II", head)\n'
                'print(kind, s.recv(length).decode())\n'
                'sys.exit(0 if s.recv(1) == b"" else 1)\n')
        other = subprocess.run(['setpriv', '--reuid', '65534', '--clear-groups', 'python3', '-c', code,
                                p.socket], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert other.returncode == 0, other
        assert other.stdout == '19 this daemon serves user 0, you are 65534\n', other
        # And a client doesn't give its words to somebody else's daemon.
        p.run('sysctl -n kern.features.vimage').ok()
        end(daemon)


def test_second_daemon_on_a_socket_is_refused_and_a_dead_one_is_replaced():
    with Place() as p:
        daemon = p.up()
        r = p.run('up')
        assert r.status == 3 and 'a daemon answers there already' in r.err, r
        p.run('sysctl -n kern.features.vimage').ok()
        daemon.kill()
        daemon.wait()
        assert os.path.exists(p.socket)
        end(p.up())


def test_daemon_in_the_background_says_its_number_and_ends_by_down():
    with Place() as p:
        pid = int(p.run('up -d').ok().out)
        os.kill(pid, 0)
        assert p.run('up -d').status == 3
        p.run('down').ok()
        assert not os.path.exists(p.socket)

        def gone():
            try:
                with open(f'/proc/{pid}/stat', encoding='ascii') as f:
                    return f.read().rsplit(')', 1)[1].split()[0] == 'Z'
            except OSError:
                return True
        until(gone, 'end of the daemon')
        started = p.run('--json up -d').json()
        assert started['socket'] == p.socket
        p.run('down').ok()


def test_signals_end_the_daemon_with_everything_freed():
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Place() as p:
            daemon = p.up()
            p.run('jail -c name=r1 vnet persist').ok()
            p.run('ifconfig epair create').ok()
            p.run('ifconfig epair0a vnet r1').ok()
            p.run('-j r1 ifconfig epair0a inet 10.0.0.1/24 up').ok()
            assert end(daemon, how) == ''
            assert not os.path.exists(p.socket)


def test_interrupted_ping_prints_its_sums():
    with Place() as p:
        daemon = p.up()
        p.run('ifconfig lo0 inet 127.0.0.1/8 up').ok()
        ping = p.start('ping', '-i', '0.05', '127.0.0.1')
        for _ in range(3):
            ping.stdout.readline()
        ping.send_signal(signal.SIGINT)
        out, err = ping.communicate(timeout=PATIENCE)
        assert ping.returncode == 0 and err == '', (ping.returncode, err)
        assert 'packets received, 0.0% packet loss' in out, out
        end(daemon)


def test_client_that_is_killed_leaves_nothing_behind():
    with Place() as p:
        daemon = p.up()
        p.run('ifconfig lo0 inet 127.0.0.1/8 up').ok()

        def running():
            audit = p.run('--json show audit').json()
            return json.dumps(audit)
        before = running()
        clients = [p.start('ping', '-i', '0.01', '127.0.0.1') for _ in range(8)]
        for ping in clients:
            ping.stdout.readline()
            ping.stdout.readline()
        for ping in clients:
            ping.kill()
        until(lambda: running() == before, 'end of the commands of dead clients')
        end(daemon)


def test_many_clients_at_once_get_their_own_answers():
    with Place() as p:
        daemon = p.up()
        for i in range(20):
            p.run(f'jail -c name=j{i} vnet persist').ok()
        clients = [p.start('-j', f'j{i % 20}', 'sysctl', '-n', 'security.jail.jailed')
                   for i in range(40)]
        for client in clients:
            out, err = client.communicate(timeout=PATIENCE)
            assert (client.returncode, out, err) == (0, '1\n', ''), (out, err)
        end(daemon)


def frame(kind, payload=b''):
    return struct.pack('>II', len(payload), kind) + payload


def words_frame(*words):
    def string(text):
        return struct.pack('>I', len(text)) + text.encode()
    return frame(2, struct.pack('>II', 0, 0) + string('') + string('') +
                 struct.pack('>I', len(words)) + b''.join(string(w) for w in words))


HELLO = frame(1, struct.pack('>II', 0x5752524e, 1))


def test_client_that_does_not_read_disturbs_nobody():
    with Place() as p:
        daemon = p.up()
        deaf = []
        for _ in range(10):
            s = socket.socket(socket.AF_UNIX)
            s.connect(p.socket)
            s.sendall(HELLO + words_frame('sysctl', '-a') * 50)
            deaf.append(s)
        assert p.run('sysctl -n kern.features.vimage').ok().out == '1\n'
        for s in deaf:
            s.close()
        p.run('sysctl -n kern.features.vimage').ok()
        end(daemon)


def test_nonsense_on_the_socket_ends_that_conversation_only():
    with Place() as p:
        daemon = p.up()
        for nonsense in (b'GET / HTTP/1.0\r\n\r\n', b'\xff' * 64, HELLO + frame(77), frame(2, b'xx'),
                         HELLO + frame(2, b'\xff' * 30)):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(PATIENCE)
                s.connect(p.socket)
                s.sendall(nonsense)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        p.run('sysctl -n kern.features.vimage').ok()
        end(daemon)


def test_reader_that_has_enough_ends_the_tool():
    with Place() as p:
        daemon = p.up()
        p.run('ifconfig lo0 inet 127.0.0.1/8 up').ok()
        r = subprocess.run(f'{WARREN} ping -i 0.01 127.0.0.1 | head -n 2', shell=True, env=p.env,
                           capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert r.stdout.count('\n') == 2, r
        end(daemon)


def test_files_lie_where_the_client_stands():
    with Place() as p:
        daemon = p.up()
        p.run('ifconfig lo0 inet 127.0.0.1/8 up').ok()
        os.mkdir(f'{p.folder}/here')
        tcpdump = subprocess.Popen([WARREN, 'tcpdump', '-i', 'lo0', '-w', 'x.pcapng', '-c', '2'],
                                   env=p.env, cwd=f'{p.folder}/here', stderr=subprocess.PIPE)
        p.daemons.append(tcpdump)
        until(lambda: os.path.exists(f'{p.folder}/here/x.pcapng'), 'the capture')
        p.run('ping -c 2 -i 0.01 127.0.0.1').ok()
        tcpdump.communicate(timeout=PATIENCE)
        assert tcpdump.returncode == 0
        assert os.path.getsize(f'{p.folder}/here/x.pcapng') > 200
        end(daemon)


def test_bad_tunable_is_named():
    with Place() as p:
        r = p.run('up -o no.such.name=1')
        assert r.status == 2 and 'no.such.name=1' in r.err, r


LAB = '''\
name: pair
addresses: auto
nodes: {r1: {}, r2: {}}
links:
  - {endpoints: ["r1:right", "r2:left"], rate: 10Mbit/s, delay: 2ms}
traffic:
  - {name: probe, from: r1, ping: r2, every: 20ms, count: 5}
expect:
  - {that: probe.lost, is: 0}
'''


def write_lab(p, text=LAB):
    with open(f'{p.folder}/pair.lab.yml', 'w', encoding='ascii') as f:
        f.write(text)


def test_daemon_carries_the_network_of_a_file():
    with Place() as p:
        write_lab(p)
        daemon = p.up('pair.lab.yml')
        assert {j['name'] for j in p.run('--json jls').json()['jail']} == {'r1', 'r2'}
        address = [w for w in p.run('-j r2 ifconfig left').ok().out.split('\n') if 'inet ' in w]
        p.run('-j', 'r1', 'ping', '-c', '2', '-i', '0.02', address[0].split()[1]).ok()
        assert not os.path.exists(f'{p.folder}/pair.out')
        end(daemon)


def test_lab_file_runs_in_both_kinds_of_time():
    with Place() as p:
        write_lab(p)
        p.run('check pair.lab.yml').ok()
        tap = p.run('test pair.lab.yml').ok().out
        assert tap.startswith('ok 1 ') and tap.endswith('1..2\n'), tap
        first, second = (p.run(f'run --json --seed 7 --out {o} pair.lab.yml') for o in 'ab')
        assert first.json() and first.out.replace('"a', '"b') == second.out.replace('"a', '"b')
        live = p.run('run --live --for 500ms -q --out c pair.lab.yml')
        assert live.status in (0, 1) and live.out, live
        write_lab(p, LAB.replace('is: 0}', 'is: 3}'))
        assert p.run('run -q pair.lab.yml').status == 1
        failed = p.run('test pair.lab.yml')
        assert failed.status == 1 and 'not ok 1 ' in failed.out, failed


def test_wrong_lab_file_is_told_by_line():
    with Place() as p:
        write_lab(p, LAB.replace('delay: 2ms', 'delay: 2'))
        for verb in ('run', 'test', 'check', 'up', 'console'):
            r = p.run(f'{verb} pair.lab.yml')
            assert r.status == 2 and 'pair.lab.yml:5:' in r.err, (verb, r)
        assert p.run('test pair.lab.yml').out.startswith('not ok 1 - pair.lab.yml')
        assert p.run('test /no/such.lab.yml').status == 2


def test_help_knows_every_tool():
    with Place() as p:
        listed = p.run('--json help').json()
        for tool in listed['verbs'] + listed['tools']:
            r = p.run('help', tool['name']).ok()
            assert r.out.startswith('usage: ') and tool['summary'], tool
        assert p.run('help nosuchtool').status == 1


if __name__ == '__main__':
    main()

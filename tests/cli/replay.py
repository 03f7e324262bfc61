#!/usr/bin/env python3
"""`warren replay`: a firewall's rules on a capture, and two rule files compared; docs/explain.md shows what is said."""
import glob
import gzip
import json
import os
import re
import shutil
import struct
import subprocess

from harness import WARREN, Place, Skip, main

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES, NEW, PCAP = (f'{ROOT}/examples/{name}' for name in ('policy.rules', 'policy-new.rules', 'policy.pcap'))
NETS = ['--net', '10.0.0.0/24=lan', '--net', '0.0.0.0/0=wan']


def write(p, name, text):
    with open(f'{p.folder}/{name}', 'w', encoding='utf-8') as f:
        f.write(text)
    return name


def totals(r):
    """Packets by what became of them."""
    answer = r.json()
    return {key: answer[key]['packets'] for key in ('passed', 'dropped', 'left', 'waiting')}


def hits(r):
    return {rule['number']: rule['packets'] for rule in r.json()['rule']}


def fates(answer):
    return {packet['number']: (packet['fate'], packet['by']) for packet in answer['packet']}


def test_the_page_shows_what_is_said():
    with open(f'{ROOT}/docs/explain.md', encoding='utf-8') as f:
        blocks = re.findall(r'(?:^    .*\n)+', f.read(), re.M)
    shown = [block for block in blocks if block.startswith('    $ ')]
    assert len(shown) >= 5, shown
    with Place() as p:
        os.mkdir(f'{p.folder}/bin')
        os.symlink(WARREN, f'{p.folder}/bin/warren')
        env = {**p.env, 'PATH': f'{p.folder}/bin:{os.environ["PATH"]}'}
        for block in shown:
            command, want = block.replace('\n    ', '\n')[6:].split('\n', 1)
            if command.startswith('warren'):
                words, line = ['sh', '-c', command], None
            else:
                words, line = ['warren', 'console', 'examples/firewall.lab.yml'], command + '\n'
            out = subprocess.run(words, input=line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False).stdout
            assert out == want, (command, out, want)


def test_states_end_when_they_would_have_ended():
    with Place() as p:
        r = p.run('--json', 'replay', '-r', RULES, *NETS, '--packets', PCAP)
        fate = fates(r.json())
        assert fate[3] == ('passes', 410), fate      # an answer at once
        assert fate[20] == ('dropped', 900), fate    # one 11 seconds later: UDP's states live for 10
        assert fate[23] == ('passes', 400) and fate[24] == ('dropped', 900), fate  # behind both FINs, a second
        r = p.run('--json', 'replay', '-r', RULES, *NETS, '-c', 'sysctl net.inet.ip.fw.dyn_udp_lifetime=20', '--packets', PCAP)
        assert fates(r.json())[20] == ('passes', 410), r


def test_a_forwarded_packet_meets_the_rules_in_and_out():
    with Place() as p:
        rules = write(p, 'r', 'add 10 count ip from any to any in recv lan\nadd 20 count ip from any to any out recv lan xmit wan\n'
                      'add 30 count ip from any to any in recv wan\nadd 40 allow ip from any to any\n')
        r = p.run('--json', 'replay', '-r', rules, *NETS, PCAP)
        assert hits(r) == {10: 12, 20: 12, 30: 11, 40: 46, 65535: 0}, r
        r = p.run('--json', 'replay', '-r', rules, '--in', 'lan', PCAP)
        assert hits(r) == {10: 23, 20: 0, 30: 0, 40: 23, 65535: 0}, r
        r = p.run('--json', 'replay', '-r', rules, '--in', 'lan', '--out', 'wan', PCAP)
        assert hits(r) == {10: 23, 20: 23, 30: 0, 40: 46, 65535: 0}, r
        r = p.run('--json', 'replay', '-r', rules, '--net', '10.0.0.0/24=lan', PCAP)
        assert hits(r) == {10: 12, 20: 0, 30: 0, 40: 23, 65535: 0}, r  # what comes from nowhere only goes out
        assert p.run('--json', 'replay', '-r', rules, '--net', '10.9.0.0/24=lan', PCAP).json()['nowhere'] == 23


def test_the_stacks_own_packets_go_out_only():
    with Place() as p:
        rules = write(p, 'r', 'add 10 allow ip from me to any out\nadd 20 allow ip from any to me in\nadd 30 deny ip from any to any\n')
        r = p.run('--json', 'replay', '-r', rules, '-c', 'ifconfig lan inet 10.0.0.2/24', *NETS, PCAP)
        # 10.0.0.3 has 3 packets; the rest is from or to 10.0.0.2; what the stack sends by itself is not counted
        assert hits(r) == {10: 9, 20: 11, 30: 3, 65535: 0}, r


def test_frames_meet_the_rules_at_layer_2():
    with Place() as p:
        rules = write(p, 'r', 'add 10 deny ip from any to any mac-type 0x0806 layer2\nadd 20 count ip from any to any layer2 out\n'
                      'add 30 allow ip from any to any\n')
        r = p.run('--json', 'replay', '-r', rules, '--in', 'lan', '--out', 'wan', '--layer2', PCAP)
        assert hits(r) == {10: 1, 20: 23, 30: 4 * 23, 65535: 0}, r
        assert r.json()['not-ip'] == 0
        assert p.run('--json', 'replay', '-r', rules, '--in', 'lan', PCAP).json()['not-ip'] == 1


def test_what_a_rule_file_sets_is_in_force():
    with Place() as p:
        rules = write(p, 'r', 'table 1 add 203.0.113.0/24 5\nadd 10 set 3 deny ip from any to any\nset disable 3\n'
                      'nat 1 config if wan\nadd 20 deny ip from table(1) to any\nadd 30 nat 1 ip from any to any out\n'
                      'add 40 allow ip from any to any\n')
        r = p.run('--json', 'replay', '-r', rules, '-c', 'ifconfig wan inet 192.0.2.1/24', *NETS, '--packets', PCAP)
        assert hits(r)[20] == 4, r
        assert 10 not in hits(r), r
        assert [hop.get('nat') for hop in r.json()['packet'][0]['hop']] == [None, 'translated'], r
        off = write(p, 'off', 'disable firewall\nadd 10 deny ip from any to any\n')
        assert totals(p.run('--json', 'replay', '-r', off, '--in', 'lan', PCAP))['passed'] == 23


def test_what_leaves_and_what_waits_is_counted_apart():
    with Place() as p:
        rules = write(p, 'r', 'add 10 divert 8668 tcp from any to any\nadd 20 pipe 1 udp from any to any\nadd 30 reset ip from any to any\n')
        r = p.run('--json', 'replay', '-r', rules, '--in', 'lan', PCAP)
        assert totals(r) == {'passed': 4, 'dropped': 3, 'left': 16, 'waiting': 0}, r


def test_a_choice_of_packets():
    with Place() as p:
        def numbers(*words):
            answer = p.run('--json', 'replay', '-r', RULES, *NETS, '--packets', *words, PCAP).json()
            return [packet['number'] for packet in answer['packet']]

        assert numbers('--only', 'dropped') == [10, 11, 12, 13, 14, 17, 18, 20, 24]
        assert numbers('--only', '310') == [18]
        assert numbers('--only', '410') == [2, 3, 19]
        assert len(numbers('--only', 'passed')) == 14


def test_the_reason_is_said_of_each_rule():
    with Place() as p:
        r = p.run('--json', 'replay', '-r', RULES, *NETS, '-v', '--only', '310', PCAP)
        met = r.json()['packet'][0]['hop'][0]['rule']
        assert [(step['number'], step['met'], step.get('why')) for step in met] == [
            (100, 'no', 'via lo0: it is lan'), (200, 'no-state', None), (300, 'no', 'dst-port 23: it is 25'), (310, 'yes', None)], met


def test_a_written_capture_has_the_verdicts_as_comments():
    with Place() as p:
        p.run('replay', '-r', RULES, *NETS, '--write', 'out.pcapng', PCAP).ok()
        for tool in ('tshark', 'capinfos'):
            if shutil.which(tool) is None:
                raise Skip(f'there is no {tool}')
        r = p.run('-r', 'out.pcapng', '-T', 'fields', '-e', 'frame.number', '-e', 'frame.comment', program='tshark').ok()
        lines = r.out.splitlines()
        assert lines[0] == '1\tmet no rule: not IP', lines
        assert lines[3] == '4\tpasses by rule 400: Accept by state', lines
        assert lines[9] == '10\tdropped by rule 300: Deny', lines
        assert len(lines) == 24, lines
        r = p.run('-M', '-c', '-u', 'out.pcapng', program='capinfos').ok()
        assert re.search(r'Number of packets: +24\n', r.out) and re.search(r'Capture duration: +30\.0', r.out), r
        p.run('replay', '-r', RULES, *NETS, '--only', 'dropped', '--write', 'some.pcapng', PCAP).ok()
        assert re.search(r'packets: +9\n', p.run('-M', '-c', 'some.pcapng', program='capinfos').ok().out)
        r = p.run('replay', '-r', RULES, *NETS, '--write', 'no/out.pcapng', PCAP)
        assert (r.status, r.err) == (3, 'no/out.pcapng: No such file or directory\n'), r


def test_two_files_that_differ():
    with Place() as p:
        r = p.run('--json', 'replay', '--diff', *NETS, RULES, NEW, PCAP)
        assert r.status == 1, r
        answer = json.loads(r.out)
        assert [packet['number'] for packet in answer['packet']] == [3, 10, 11, 12], answer
        assert (answer['differ'], answer['packets']) == (4, 24)
        assert [(group['packets'], group['first']) for group in answer['group']] == [(1, 3), (2, 10), (1, 12)]
        r = p.run('replay', '--diff', *NETS, RULES, RULES, PCAP)
        assert (r.status, r.out) == (0, '0 of 24 packets differ\n'), r


def test_differences_that_are_not_of_passing():
    with Place() as p:
        old = write(p, 'old', 'add 10 deny tcp from any to any 23\nadd 20 allow ip from any to any\n')
        same = write(p, 'same', 'add 30 deny tcp from any to any 23\nadd 40 count ip from any to any\nadd 50 allow ip from any to any\n')
        assert p.run('replay', '--diff', *NETS, old, same, PCAP).status == 0
        for line, differ in (('reset tcp from any to any 23', 2), ('setdscp 46 icmp from any to any', 3), ('pipe 3 udp from any to any', 4),
                             ('fwd 10.0.0.9 udp from any to any', 4), ('setfib 1 udp from any to any', 0)):
            new = write(p, 'new', f'add 5 {line}\nadd 10 deny tcp from any to any 23\nadd 20 allow ip from any to any\n')
            r = p.run('--json', 'replay', '--diff', *NETS, old, new, PCAP)
            assert json.loads(r.out)['differ'] == differ, (line, r)


def test_wrong_words_and_files_are_named():
    with Place() as p:
        bad = write(p, 'bad.rules', '# first\nadd 100 allow ip from any to any\nadd 200 alow ip from any to any\n')
        for words, status, err in (
                (['-r', bad, PCAP], 2, 'bad.rules:3: invalid action [alow]\n'),
                (['-r', 'none', PCAP], 2, 'none: No such file or directory\n'),
                (['-r', RULES, 'none'], 2, 'none: No such file or directory\n'),
                (['-r', RULES, bad], 2, None),
                (['-r', RULES, '--net', '10.0.0.0/33=lan', PCAP], 2, 'warren replay: --net 10.0.0.0/33=lan: not like 10.0.0.0/8=lan\n'),
                (['-r', RULES, '--in', 'a/b', PCAP], 2, "warren replay: --in a/b: not an interface's name\n"),
                (['-r', RULES, '--only', 'some', PCAP], 2, "warren replay: --only some: passed, dropped or a rule's number\n"),
                (['-r', RULES, '--seed', '0', PCAP], 2, 'warren replay: --seed 0: not a number of 1 or more\n'),
                (['-r', RULES, '-c', 'ifconfig nowhere', PCAP], 2, 'ifconfig: interface nowhere does not exist\nifconfig nowhere: the command failed\n'),
                (['--diff', '--packets', RULES, NEW, PCAP], 2, 'warren replay: --diff lists what differs: no --packets, --only, --write\n'),
                ([PCAP], 2, None), (['-r', RULES], 2, None), (['--diff', RULES, PCAP], 2, None), (['--nothing'], 2, None)):
            r = p.run('replay', *words)
            assert (r.status, r.out) == (status, '') and r.err != '' and err in (None, r.err), (words, r)


def test_a_damaged_capture_gives_what_came_before():
    with Place() as p:
        with open(PCAP, 'rb') as f:
            capture = f.read()
        with open(f'{p.folder}/cut.pcap', 'wb') as f:
            f.write(capture[:-20])
        r = p.run('--json', 'replay', '-r', RULES, *NETS, 'cut.pcap')
        assert (r.json()['packets'], 'truncated' in r.json()['note']) == (23, True), r
        with gzip.open(f'{p.folder}/a.pcap.gz', 'wb') as f:
            f.write(capture)
        assert p.run('--json', 'replay', '-r', RULES, *NETS, 'a.pcap.gz').json()['packets'] == 24


def test_malformed_packets_meet_no_rule():
    with Place() as p:
        frame = bytes(12) + b'\x08\x00' + b'\x45\x00\x00\x10' + bytes(16)
        with open(f'{p.folder}/bad.pcap', 'wb') as f:
            f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            f.write(struct.pack('<IIII', 1, 0, len(frame), len(frame)) + frame)
        r = p.run('--json', 'replay', '-r', RULES, '--in', 'lan', 'bad.pcap')
        assert (r.json()['malformed'], sum(hits(r).values())) == (1, 0), r


def test_the_same_words_say_the_same_again():
    with Place() as p:
        rules = write(p, 'r', 'add 10 prob 0.5 deny ip from any to any\nadd 20 allow ip from any to any\n')
        words = ('replay', '-r', rules, '--in', 'lan', '--packets', PCAP)
        assert p.run(*words).ok().out == p.run(*words).ok().out
        assert p.run(*words).out != p.run(*words, '--seed', '7').out


def test_every_capture_meets_every_rule_file():
    with Place() as p:
        captures = sorted(glob.glob(f'{ROOT}/tests/data/pcap/*/*.pcap*'))
        for rules in sorted(glob.glob(f'{ROOT}/tests/data/ipfw/*.ipfw')):
            if p.run('replay', '-r', rules, PCAP).status != 0:
                continue  # refused with the word, as tests of the language show
            for capture in captures[::7]:
                r = p.run('--json', 'replay', '-r', rules, *NETS, '--net', '::/0=wan', '--layer2', '-v', capture)
                if r.status == 0:
                    a = r.json()
                    met = sum(a[key]['packets'] for key in ('passed', 'dropped', 'left', 'waiting'))
                    assert met + a['not-ip'] + a['malformed'] + a['nowhere'] == a['packets'], (rules, capture, r)
                else:
                    assert (r.status, r.err.count('\n')) == (2, 1), (rules, capture, r)


if __name__ == '__main__':
    main()

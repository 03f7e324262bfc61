#!/usr/bin/env python3
"""The tools as somebody uses them who knows the BSDs': words, columns, exit statuses, what changes and what does not."""
import re

from harness import Place, end, main, until


def pair(p):
    """A daemon with epair0a here, 10.0.0.1/24, and epair0b in jail r1, 10.0.0.9/24."""
    daemon = p.up()
    p.run('ifconfig lo0 inet 127.0.0.1/8').ok()
    p.run('ifconfig epair create').ok()
    p.run('jail -c name=r1 vnet persist').ok()
    p.run('ifconfig epair0b vnet r1').ok()
    p.run('jexec r1 ifconfig epair0b inet 10.0.0.9/24').ok()
    p.run('ifconfig epair0a inet 10.0.0.1/24').ok()
    return daemon


def everything(p):
    """What a failed command must leave as it was, without what passes by itself."""
    text = ''.join(p.run(words).ok().out for words in (
        'ifconfig -a', 'netstat -rn', 'arp -an', 'sysctl -a', 'jls', 'jexec r1 ifconfig -a', 'jexec r1 netstat -rn'))
    return re.sub(r'expires in \d+ seconds| tentative', '', text)


def says(p, words, status, err):
    r = p.run(*words) if isinstance(words, list) else p.run(words)
    assert (r.status, r.out, r.err) == (status, '', err), (words, r)


def test_an_error_is_one_line_whatever_words_it_quotes():
    with Place() as p:
        daemon = pair(p)
        says(p, ['ifconfig', 'epair0a', 'mtu', '1\nifconfig: done'], 1, 'ifconfig: 1?ifconfig: done: bad value\n')
        says(p, ['sysctl', '\x1b[2Jx'], 1, "sysctl: unknown oid '?[2Jx'\n")
        for words in (['ifconfig', 'x' * 5000], ['route', 'get', 'x' * 5000], ['arp', '-i', 'x' * 5000, '-a']):
            r = p.run(*words)
            assert r.status != 0 and r.out == '', r
            assert r.err.count('\n') == 1 and len(r.err) < 600, r
        assert p.run('ifconfig', 'x' * 5000).err.endswith('x does not exist\n')
        end(daemon)


def test_routes_come_from_standard_input():
    with Place() as p:
        daemon = pair(p)
        lines = ''.join(f'add 20.{i >> 8}.{i & 255}.0/24 10.0.0.9\n' for i in range(3000))
        r = p.run('route', '-q', '-f', '-', stdin=lines).ok()
        assert (r.out, r.err) == ('', ''), r
        assert p.run('netstat -rn -f inet').ok().out.count('\n20.') == 3000
        r = p.run('route', '-q', '-f', '-', stdin='delete 20.0.0.0/24\ndelete 21.0.0.0/8\n')
        assert r.status == 1 and r.err.count('\n') == 1 and ':2: 21.0.0.0/8: not in table' in r.err, r
        end(daemon)


def test_numbers_out_of_range_change_nothing():
    with Place() as p:
        daemon = pair(p)
        before = everything(p)
        for number in ('10x', '-1', '99999999999', '18446744073709551616', '', '0x', '1 '):
            for words in (['ifconfig', 'epair0a', 'mtu', number], ['ifconfig', 'epair0a', 'metric', number],
                          ['ifconfig', 'epair0a', 'up', 'fib', number], ['ifconfig', 'epair', 'create', 'mtu', number],
                          ['ifconfig', 'epair0a', 'inet', '10.0.0.66/' + number],
                          ['netstat', '-w', number], ['netstat', '-q', number, '-w', '1'],
                          ['route', 'add', '11.0.0.0/8', '10.0.0.9', '-mtu', number],
                          ['route', 'add', '11.0.0.0/8', '10.0.0.9', '-weight', number],
                          ['route', 'add', '11.0.0.0', '10.0.0.9', '-prefixlen', number],
                          ['route', 'add', '11.0.0.0/' + number, '10.0.0.9'],
                          ['sysctl', 'net.inet.ip.ttl=' + number], ['sysctl', 'net.fibs=' + number],
                          ['jail', '-c', 'persist', 'children.max=' + number], ['jail', '-c', 'persist', 'jid=' + number],
                          ['ping', '-c', number, '10.0.0.9'], ['ping', '-s', number, '10.0.0.9'],
                          ['ping', '-i', number, '10.0.0.9'], ['ping', '-m', number, '10.0.0.9'],
                          ['traceroute', '-m', number, '10.0.0.9'], ['traceroute', '-q', number, '10.0.0.9'],
                          ['setfib', number, 'netstat', '-rn'], ['kldstat', '-i', number]):
                if number == '99999999999' and 'children.max=' in words[-1]:
                    continue
                r = p.run(*words)
                assert r.status not in (0, 4) and r.err.startswith(words[0] + ': '), (words, r)
        assert everything(p) == before
        end(daemon)


def test_ping_measures_the_way_there_and_back():
    with Place() as p:
        daemon = pair(p)
        p.run('ping -c 1 10.0.0.9').ok()
        reply = p.run('--json ping -c 3 -i 0.01 10.0.0.9').json()
        assert all(0 < r['time-ms'] < 1000 for r in reply['reply']), reply
        hop = p.run('--json traceroute 10.0.0.9').json()['hop'][0]
        assert all(0 < probe['time-ms'] < 1000 for probe in hop['probe']), hop
        end(daemon)


def test_netstat_counts_the_packets_of_each_address():
    with Place() as p:
        daemon = pair(p)
        p.run('ifconfig epair0a inet 10.0.0.2/32 alias').ok()
        p.run('ping -c 3 -i 0.01 10.0.0.9').ok()
        p.run('ping -c 2 -i 0.01 -S 10.0.0.2 10.0.0.9').ok()
        lines = [line.split() for line in p.run('netstat -in -I epair0a').ok().out.splitlines()]
        counts = {f[3]: (f[4], f[7]) for f in lines[2:] if not f[3].startswith('fe80:')}
        assert counts == {'10.0.0.1': ('3', '5'), '10.0.0.2': ('2', '0')}, counts
        end(daemon)


def test_route_d_and_t_change_nothing():
    with Place() as p:
        daemon = pair(p)
        before = everything(p)
        for option in ('-d', '-t'):
            r = p.run(f'route {option} add 11.0.0.0/8 10.0.0.9').ok()
            assert r.out == 'add net 11.0.0.0: gateway 10.0.0.9\n', r
        assert everything(p) == before
        end(daemon)


def test_jail_without_a_command_to_run_is_not_made():
    with Place() as p:
        daemon = pair(p)
        before = everything(p)
        says(p, 'jail -c name=q vnet persist command=nosuch -x', 1, 'jail: execvp: nosuch: No such file or directory\n')
        for words in ('jail -c name= vnet persist', 'jail -c name=12 vnet persist'):
            r = p.run(words)
            assert r.status == 1 and 'a name is no number' in r.err, r
        assert everything(p) == before
        end(daemon)


def test_ifconfig_group_without_members_is_none():
    with Place() as p:
        daemon = pair(p)
        assert p.run('ifconfig -g epair').ok().out == 'epair0a\n'
        says(p, 'ifconfig -g nosuch', 1, 'ifconfig: group nosuch does not exist\n')
        end(daemon)


def test_ifconfig_delete_alone_takes_the_first_address():
    with Place() as p:
        daemon = pair(p)
        p.run('ifconfig epair0a inet 10.0.0.2/32 alias').ok()
        p.run('ifconfig epair0a delete').ok()
        assert re.findall(r'inet (\S+)', p.run('ifconfig epair0a').out) == ['10.0.0.2']
        p.run('ifconfig epair0a inet -alias').ok()
        says(p, 'ifconfig epair0a delete', 1, "ifconfig: ioctl (SIOCDIFADDR): Can't assign requested address\n")
        says(p, 'ifconfig epair0a alias', 1, "ifconfig: 'alias' requires argument\n")
        end(daemon)


def test_variables_that_scripts_of_the_bsds_set_are_there():
    with Place() as p:
        daemon = pair(p)
        for name, value in (('net.inet.ip.fastforwarding', 0), ('net.inet.ip.sendsourcequench', 0),
                            ('net.link.tap.devfs_cloning', 1), ('net.link.tap.user_open', 0),
                            ('net.link.tap.up_on_open', 0), ('net.link.tap.debug', 0), ('net.my_fibnum', 0),
                            ('net.link.ifqmaxlen', 50), ('net.link.epair.netisr_maxqlen', 2100),
                            ('net.isr.direct_force', 1), ('net.inet.icmp.icmplim', 200), ('net.fibs', 1)):
            assert p.run('sysctl', name).ok().out == f'{name}: {value}\n', name
        says(p, 'sysctl net.link.tap.user_open=1', 1, "sysctl: oid 'net.link.tap.user_open' is read only\n")
        end(daemon)


def test_fast_forwarding_sends_no_redirects():
    with Place() as p:
        daemon = pair(p)
        # A packet for 11.0.0.1 goes to r1, which has its way back over the same link.
        p.run('jexec r1 sysctl net.inet.ip.forwarding=1').ok()
        p.run('jexec r1 route add 11.0.0.0/8 10.0.0.77').ok()
        p.run('jexec r1 arp -s 10.0.0.77 02:00:00:00:00:77').ok()
        p.run('route add 11.0.0.0/8 10.0.0.9').ok()
        for fast in (1, 0):
            p.run(f'jexec r1 sysctl net.inet.ip.fastforwarding={fast}').ok()
            p.run('ping -c 2 -i 0.01 -W 10 11.0.0.1')
        counts = p.run('jexec r1 netstat -s -p ip').ok().out
        assert '\t3 packets forwarded (2 packets fast forwarded)\n' in counts, counts
        assert '\t1 redirect sent\n' in counts, counts
        end(daemon)


def test_every_listing_is_json_on_request():
    with Place() as p:
        daemon = pair(p)
        for words in ('ifconfig -a', 'ifconfig -l', 'ifconfig -C', 'ifconfig -g epair', 'netstat -a', 'netstat -ibd',
                      'netstat -rn', 'netstat -rs', 'netstat -s', 'netstat -ss', 'netstat -m', 'netstat -Q',
                      'netstat -w 1 -q 1', 'route get 10.0.0.9', 'arp -an', 'sysctl -a', 'sysctl -ad', 'sysctl -aN',
                      'jls', 'jls -v', 'jls jid name', 'kldstat', 'kldstat -v', 'show', 'show all vnets',
                      'show all ifnets', 'show all lltables verbose', 'show netisr', 'show vnet_sysinit', 'show audit',
                      'show prison', 'show drops all', 'show ifnet lo0', 'sockstat -4ql', 'ping -c 1 10.0.0.9',
                      'traceroute -q 1 10.0.0.9', 'tcpdump -D', 'help'):
            tool, *rest = words.split()
            one = p.run('--json', tool, *rest).json()
            two = p.run(tool, '--libxo', 'json', *rest).json() if tool != 'help' else one
            assert isinstance(one, dict) and one.keys() == two.keys(), (words, one, two)
        end(daemon)


def test_interfaces_go_while_they_carry_traffic():
    with Place() as p:
        daemon = p.up()
        before = p.run('show audit').ok().out
        for destroy in ('ifconfig epair0a destroy', 'jexec r1 ifconfig epair0b destroy', 'jail -r r1'):
            for words in ('ifconfig epair create', 'jail -c name=r1 vnet persist', 'ifconfig epair0b vnet r1',
                          'jexec r1 ifconfig epair0b inet 10.0.0.9/24', 'ifconfig epair0a inet 10.0.0.1/24'):
                p.run(words).ok()
            pings = [p.start('ping', '-i', '0.001', '10.0.0.9'), p.start('-j', 'r1', 'ping', '-i', '0.001', '10.0.0.1')]
            for ping in pings:
                ping.stdout.readline()
                ping.stdout.readline()
            p.run(destroy).ok()
            p.run('jail -r r1')
            out, _ = pings[1].communicate(timeout=30)
            assert 'packet loss' in out, out
            pings[0].terminate()
            pings[0].communicate(timeout=30)
            p.run('ifconfig epair0a destroy')
            assert p.run('ifconfig -l').ok().out == 'lo0\n'
        until(lambda: p.run('show audit').ok().out == before, 'end of what was destroyed')
        end(daemon)


def test_arp_says_in_json_what_it_says_in_text():
    with Place() as p:
        daemon = pair(p)
        p.run('arp -s 10.0.0.50 02:00:00:00:00:50 blackhole').ok()
        p.run('arp -s 10.0.0.51 02:00:00:00:00:51 reject').ok()
        p.run('arp -s 10.0.0.52 auto pub').ok()
        cache = {e['ip-address']: e for e in p.run('--json arp -an').json()['arp-cache']}
        assert cache['10.0.0.50']['blackhole'] and cache['10.0.0.51']['reject'] and cache['10.0.0.52']['published']
        assert not {'blackhole', 'reject', 'published'} & set(cache['10.0.0.1'])
        end(daemon)


def test_rtadvd_is_completed_with_its_commands_and_the_interfaces():
    with Place() as p:
        daemon = p.up()
        assert p.run('complete', 'rtadvd', 'st').ok().out.split() == ['start', 'stop']
        assert p.run('complete', 'rtadvd', 'start', 'l').ok().out.split() == ['lo0']
        end(daemon)


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Makes records/: the requests that FreeBSD 7's and 8's ipfw sent, one file a kind and layout.

The structs are written down here as their headers had them, and laid out by the rules of each ABI:
so the offsets in src/dummynet/dn_compat_layout.c are checked against another way to them.

    NAME.rec   one request behind a header of ours (src/dummynet/dn_compat.h)
    NAME.ans   what is answered to a get, when config-pipe and config-queue came before it
"""
import os
import struct

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'records')

# --- struct layout by an ABI --------------------------------------------------

POINTER, LONG = 'pointer', 'long'


class Abi:
    def __init__(self, bits):
        self.bits = bits
        self.word = bits // 8
        self.align64 = 8 if bits == 64 else 4  # i386 aligns 64-bit numbers to four bytes

    def measure(self, kind):
        """Size and alignment of a member."""
        if isinstance(kind, list):
            return self.layout(kind)[1:]
        if kind in (POINTER, LONG):
            return self.word, self.word
        if isinstance(kind, tuple):  # bytes
            return kind[1], 1
        return kind, (self.align64 if kind == 8 else kind)

    def layout(self, members):
        places, at, most = {}, 0, 1
        for name, kind in members:
            size, align = self.measure(kind)
            at = (at + align - 1) // align * align
            places[name] = (at, kind)
            at += size
            most = max(most, align)
        return places, (at + most - 1) // most * most, most

    def pack(self, members, values):
        places, size, _ = self.layout(members)
        out = bytearray(size)
        for name, value in values.items():
            at, kind = places[name]
            if isinstance(kind, list):
                value = self.pack(kind, value)
            elif not isinstance(value, bytes):
                width = self.word if kind in (POINTER, LONG) else kind
                value = (value & (1 << 8 * width) - 1).to_bytes(width, 'little')
            out[at:at + len(value)] = value
        return bytes(out)


FLOW_ID = [('dst_ip', 4), ('src_ip', 4), ('dst_port', 2), ('src_port', 2), ('fib', 1), ('proto', 1),
           ('flags', 1), ('addr_type', 1), ('dst_ip6', ('b', 16)), ('src_ip6', ('b', 16)),
           ('flow_id6', 4), ('extra', 4)]
# 7.0 had no fib; the hole behind addr_type took its place
FLOW_ID_70 = [('dst_ip', 4), ('src_ip', 4), ('dst_port', 2), ('src_port', 2), ('proto', 1),
              ('flags', 1), ('addr_type', 1), ('hole', 1), ('dst_ip6', ('b', 16)),
              ('src_ip6', ('b', 16)), ('flow_id6', 4), ('frag_id6', 4)]
HEAP = [('size', 4), ('elements', 4), ('offset', 4), ('p', POINTER)]
FLOW_SET = [('next', POINTER), ('fs_nr', 2), ('flags_fs', 2), ('pipe', POINTER), ('parent_nr', 2),
            ('weight', 4), ('qsize', 4), ('plr', 4), ('flow_mask', FLOW_ID), ('rq_size', 4),
            ('rq_elements', 4), ('rq', POINTER), ('last_expired', 4), ('backlogged', 4), ('w_q', 4),
            ('max_th', 4), ('min_th', 4), ('max_p', 4), ('c_1', 4), ('c_2', 4), ('c_3', 4),
            ('c_4', 4), ('w_q_lookup', POINTER), ('lookup_depth', 4), ('lookup_step', 4),
            ('lookup_weight', 4), ('avg_pkt_size', 4), ('max_pkt_size', 4)]
PIPE_START = [('next', POINTER), ('pipe_nr', 4), ('bandwidth', 4), ('delay', 4), ('head', POINTER),
              ('tail', POINTER), ('scheduler_heap', HEAP), ('not_eligible_heap', HEAP),
              ('idle_heap', HEAP), ('V', 8), ('sum', 4)]
PIPE_END = [('if_name', ('b', 16)), ('ifp', POINTER), ('ready', 4), ('fs', FLOW_SET)]
PIPE7 = PIPE_START + [('numbytes', 4), ('sched_time', 8)] + PIPE_END
PIPE8 = PIPE_START + [('numbytes', 8), ('burst', 8), ('sched_time', 8), ('idle_time', 8)] + \
    PIPE_END + [('name', ('b', 32)), ('loss_level', 4), ('samples_no', 4), ('samples', POINTER)]
ID = [('len', 2), ('type', 1), ('subtype', 1), ('id', 4)]
LINK = [('oid', ID), ('link_nr', 4), ('bandwidth', 4), ('delay', 4), ('burst', 8)]
FS3 = [('oid', ID), ('fs_nr', 4), ('flags', 4), ('qsize', 4), ('plr', 4), ('buckets', 4),
       ('flow_mask', FLOW_ID), ('sched_nr', 4), ('weight', 4), ('lmax', 4), ('priority', 4),
       ('par3', 4), ('w_q', 4), ('max_th', 4), ('min_th', 4), ('max_p', 4)]
SCH3 = [('oid', ID), ('sched_nr', 4), ('buckets', 4), ('flags', 4), ('name', ('b', 16)),
        ('sched_mask', FLOW_ID)]
PROFILE3 = [('oid', ID), ('name', ('b', 32)), ('link_nr', 4), ('loss_level', 4), ('bandwidth', 4),
            ('samples_no', 4), ('samples', ('b', 4096))]

# --- requests -----------------------------------------------------------------

CONFIGURE, DEL, FLUSH, GET, DUMMYNET3 = 60, 61, 62, 64, 49


def write(name, data):
    with open(os.path.join(OUT, name), 'wb') as f:
        f.write(data)


def record(option, value=b'', room=0, get=False):
    return b'DNRC' + struct.pack('>BBHIII', 1, get, option, 0, len(value), room) + value


def answer(option, value):
    return b'DNRC' + struct.pack('>BBHIII', 1, 1, option, 0, len(value), 0) + value


def prob16(x):
    return int(x * 65536)


PLR_QUARTER = int(0.25 * 0x7fffffff)
MASK = {'src_ip': 0xffffff00, 'dst_port': 0xffff, 'proto': 0xff, 'addr_type': 4}
SAMPLES = b''.join(struct.pack('<i', 10 * i) for i in range(10)) + bytes(4096 - 40)


def old_pipe(release, number, **more):
    """pipe NUMBER config bw 300Kbit/s delay 20ms plr 0.25 queue 30 [burst 30000]"""
    pipe = {'pipe_nr': number, 'bandwidth': 300000, 'delay': 20,
            'fs': {'qsize': 30, 'plr': PLR_QUARTER, **more}}
    if release == 8:
        pipe['burst'] = 30000
    return pipe


def old(release, bits):
    """The requests of 7 and of 8.0."""
    abi, struct_ = Abi(bits), PIPE7 if release == 7 else PIPE8
    who = f'{release}-{bits}'

    def send(name, option, values):
        write(f'{who}-{name}.rec', record(option, abi.pack(struct_, values)))

    send('config-pipe', CONFIGURE, old_pipe(release, 1))
    send('config-pipe-red', CONFIGURE, old_pipe(
        release, 2, flags_fs=0x1 | 0x2 | 0x4 | 0x8 | 0x10, qsize=65536, flow_mask=MASK, rq_size=128,
        w_q=prob16(0.002), min_th=5120, max_th=15360, max_p=prob16(0.5)))
    send('config-queue', CONFIGURE,
         {'fs': {'fs_nr': 5, 'parent_nr': 1, 'weight': 40, 'qsize': 20, 'flags_fs': 0x1,
                 'flow_mask': {'dst_ip': 0xffffffff, 'addr_type': 4}}})
    send('config-interface', CONFIGURE, {'pipe_nr': 3, 'if_name': b'lo0', 'fs': {}})
    send('delete-pipe', DEL, {'pipe_nr': 1})
    send('delete-queue', DEL, {'fs': {'fs_nr': 5}})
    send('delete-both', DEL, {'pipe_nr': 1, 'fs': {'fs_nr': 5}})
    if release == 8:
        value = abi.pack(struct_, {**old_pipe(8, 4), 'name': b'radio', 'loss_level': 9,
                                   'samples_no': 10}) + SAMPLES
        write(f'{who}-config-profile.rec', record(CONFIGURE, value))
    else:
        # the struct of 7.0 is the same but for its masks
        places = abi.layout(struct_)[0]
        value = bytearray(abi.pack(struct_, old_pipe(7, 6, flags_fs=0x1)))
        at = places['fs'][0] + abi.layout(FLOW_SET)[0]['flow_mask'][0]
        value[at:at + 56] = abi.pack(FLOW_ID_70, MASK)
        write(f'{who}-config-mask-70.rec', record(CONFIGURE, bytes(value)))
    write(f'{who}-get.rec', record(GET, b'', 1 << 16, True))
    write(f'{who}-flush.rec', record(FLUSH))

    pipe = old_pipe(release, 1, parent_nr=1, rq_size=1)
    pipe['next'] = 0x4000
    queue = {'next': 0x8000, 'fs_nr': 5, 'parent_nr': 1, 'weight': 40, 'qsize': 20, 'flags_fs': 0x1,
             'rq_size': 64, 'flow_mask': {'dst_ip': 0xffffffff, 'addr_type': 4}}
    write(f'{who}-get.ans', answer(GET, abi.pack(struct_, pipe) + abi.pack(FLOW_SET, queue)))


def v3(bits):
    """The lists of objects of 8.1 and later."""
    abi, who = Abi(bits), f'3-{bits}'

    def command(kind, subtype=0, extra=b''):
        return abi.pack(ID, {'len': 8 + len(extra), 'type': kind, 'subtype': subtype,
                             'id': 12500000}) + extra

    def an_object(kind, members, values, subtype=0, number=0):
        size = abi.layout(members)[1]
        return abi.pack(members, {'oid': {'len': size, 'type': kind, 'subtype': subtype,
                                          'id': number}, **values})

    def link(number, **more):
        return an_object(1, LINK, {'link_nr': number, 'bandwidth': 300000, 'delay': 20,
                                   'burst': 30000, **more})

    def own_fs(number, **more):
        return an_object(2, FS3, {'fs_nr': number + 131072, 'sched_nr': number + 65536, 'weight': -1,
                                  'lmax': -1, 'priority': -1, 'par3': -1, **more})

    def send(name, value):
        write(f'{who}-{name}.rec', record(DUMMYNET3, value))

    config = command(0x80)
    fs1 = {'qsize': 30, 'plr': PLR_QUARTER}
    send('config-pipe', config + an_object(3, SCH3, {'sched_nr': 1, 'flags': 0x1000}) + link(1) +
         own_fs(1, **fs1))
    send('config-pipe-red', config + an_object(3, SCH3, {
        'sched_nr': 2, 'flags': 0x1001, 'buckets': 128, 'sched_mask': MASK}) + link(2) + own_fs(
        2, qsize=65536, plr=PLR_QUARTER, flags=0x2 | 0x8 | 0x20 | 0x40, w_q=prob16(0.002),
        min_th=5120, max_th=15360, max_p=prob16(0.5)))
    queue5 = {'fs_nr': 5, 'sched_nr': 1, 'weight': 40, 'lmax': -1, 'priority': -1, 'par3': -1,
              'qsize': 20, 'flags': 0x1, 'flow_mask': {'dst_ip': 0xffffffff, 'addr_type': 4}}
    send('config-queue', config + an_object(2, FS3, queue5))
    send('config-sched', config + an_object(3, SCH3, {'sched_nr': 1, 'name': b'rr'}) + an_object(
        2, FS3, {'fs_nr': 65537, 'sched_nr': 1, 'weight': -1, 'lmax': -1, 'priority': -1}))
    send('config-profile', config + an_object(3, SCH3, {'sched_nr': 4, 'flags': 0x1000}) + link(4) +
         own_fs(4, **fs1) + an_object(7, PROFILE3, {
             'name': b'radio', 'link_nr': 4, 'loss_level': 9, 'samples_no': 10, 'samples': SAMPLES}))
    number = lambda n: n.to_bytes(abi.word, 'little')
    send('delete-pipe', command(0x81, 1, number(1)))
    send('delete-queue', command(0x81, 2, number(5)))
    send('delete-sched', command(0x81, 3, number(1)))
    send('flush', command(0x83))
    pair = lambda a, b: struct.pack('<II', a, b)
    for name, subtype, extra in (('get-pipes', 1, b''), ('get-queues', 2, b''),
                                 ('get-scheds', 3, b''), ('get-none', 1, pair(65545, 65550))):
        write(f'{who}-{name}.rec', record(DUMMYNET3, command(0x82, subtype, extra), 1 << 16, True))

    def answered(name, subtype, objects):
        size = 8 + len(objects)
        head = abi.pack(ID, {'len': 8, 'type': 0x82, 'subtype': subtype, 'id': size})
        write(f'{who}-{name}.ans', answer(DUMMYNET3, head + objects))

    def sched(number, name, subtype):
        return an_object(3, SCH3, {'sched_nr': number, 'name': name}, subtype)

    answered('get-none', 1, b'')
    answered('get-pipes', 1, link(65537) + an_object(2, FS3, {
        'fs_nr': 131073, 'sched_nr': 65537, 'buckets': 1, **fs1}) + sched(65537, b'FIFO', 1))
    answered('get-queues', 2, an_object(2, FS3, {
        **queue5, 'lmax': 0, 'priority': 0, 'par3': 0, 'buckets': 64}))
    answered('get-scheds', 3, link(1) + sched(1, b'WF2Q+', 2) + abi.pack(
        ID, {'len': 12, 'type': 9}) + struct.pack('<I', 5))


def main():
    os.makedirs(OUT, exist_ok=True)
    for bits in (32, 64):
        old(7, bits)
        old(8, bits)
        v3(bits)


if __name__ == '__main__':
    main()

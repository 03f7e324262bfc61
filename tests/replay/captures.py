"""What the replay tests share: labs written to a folder, pcapng read back, TAP."""

import glob
import json
import lzma
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARREN = os.environ.get("WARREN", os.path.join(ROOT, "build", "warren"))
LONG = os.environ.get("LONG") == "1"

LAB = """name: replay
nodes:
  src: {{}}
  gw: {{forwarding: true, run: [route add default 10.250.1.2, "route -6 add default 2001:db8:250:1::2"]}}
  dst: {{}}
links:
  - {{endpoints: ["src:eth0", "gw:lan"], delay: 1ms, ipv4: [10.250.0.2/24, 10.250.0.1/24],
     ipv6: ["2001:db8:250::2/64", "2001:db8:250::1/64"]}}
  - {{endpoints: ["gw:wan", "dst:eth0"], delay: 1ms, ipv4: [10.250.1.1/24, 10.250.1.2/24],
     ipv6: ["2001:db8:250:1::1/64", "2001:db8:250:1::2/64"]}}
traffic:
  - {{name: file, replay: {file}, on: "{on}", way: {way}, rate: {rate}}}
capture:
  - {{on: ["src:eth0", "gw:lan", "gw:wan"], file: all.pcapng, drops: true}}
  - {{on: "src:eth0", file: before.pcapng}}
  - {{on: "gw:wan", file: behind.pcapng}}
expect:
  - {{node: gw, run: "netstat -s --json", status: 0}}
"""


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def test(self, ok, name, *why):
        self.n += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.n} - {name}", flush=True)
        if not ok:
            for line in why:
                print("#", str(line)[:2000].replace("\n", "\n# "), flush=True)

    def skip(self, name, why):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {why}")

    def end(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.failed else 0)


def files():
    """Every capture of tests/data; with LONG those of the larger collection too, where there is one."""
    found = sorted(glob.glob(os.path.join(ROOT, "tests/data/pcap/*/*.pcap*")))
    if LONG:
        data = os.environ.get("WARREN_DATA") or os.path.join(ROOT, "../shared/data/pcap")
        found += sorted(glob.glob(os.path.join(data, "**/*.pcap*"), recursive=True))
    return found


def unpacked(path, folder):
    """The file itself, or its contents where xz packed it."""
    if not path.endswith(".xz"):
        return path
    plain = os.path.join(folder, os.path.basename(path)[:-3])
    with lzma.open(path) as packed, open(plain, "wb") as out:
        while chunk := packed.read(1 << 20):
            out.write(chunk)
    return plain


def run_lab(text, folder, warren=WARREN):
    """Exit status, standard error, report (None if there is none)."""
    lab = os.path.join(folder, "t.lab.yml")
    out = os.path.join(folder, "out")
    with open(lab, "w") as f:
        f.write(text)
    done = subprocess.run([warren, "run", "-q", "--out", out, lab], capture_output=True, text=True,
                          errors="replace")
    report = None
    try:
        with open(os.path.join(out, "report.json")) as f:
            report = json.load(f)
    except FileNotFoundError:
        pass
    return done.returncode, done.stderr, report


class Record:
    __slots__ = ("iface", "inbound", "frame", "wirelen", "comment", "when", "late")


def pcapng(path):
    """Records of a file that Warren wrote; raises ValueError if a block is not as it should be."""
    data = open(path, "rb").read()
    at, names, records = 0, [], []
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length % 4 or struct.unpack_from("<I", data, at + length - 4)[0] != length:
            raise ValueError(f"block at {at}")
        fixed = {0x0a0d0d0a: 16, 1: 8, 6: 20}[kind]
        p = at + 8 + fixed
        r = Record()
        if kind == 6:
            iface, high, low, caplen, r.wirelen = struct.unpack_from("<IIIII", data, at + 8)
            r.frame = data[p:p + caplen]
            r.iface, r.when, r.comment, r.inbound = names[iface], high << 32 | low, None, False
            p += (caplen + 3) & ~3
        while p < at + length - 4:
            code, size = struct.unpack_from("<HH", data, p)
            value = data[p + 4:p + 4 + size]
            if code == 0:
                break
            if kind == 1 and code == 2:
                names.append(value.decode())
            if kind == 6 and code == 1:
                r.comment = value.decode()
            if kind == 6 and code == 2:
                r.inbound = struct.unpack("<I", value)[0] & 3 == 1
            p += 4 + ((size + 3) & ~3)
        if kind == 6:
            records.append(r)
        at += length
    return records


def scratch():
    return tempfile.TemporaryDirectory(prefix="warren-replay-")

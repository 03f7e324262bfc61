"""interop.py - what the interop tests share: a live Warren, Linux neighbours behind its taps, TAP lines.

A test runs as root of namespaces that are its own (tests/run.sh makes them). Each Linux neighbour is one more
network namespace, held by a sleeping process; a tap of Warren's is moved into it. Nothing leaves these
namespaces, and all of it goes away with the processes.
"""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

WARREN = os.environ.get("WARREN", os.path.join(os.path.dirname(__file__), "../../build/warren"))
PATIENCE = 60  # seconds that a program may take on a slow, shared machine before it counts as hung


class Tap:
    """Counts results and prints them as TAP; ends the program with their verdict."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def check(self, name, good, why=""):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}", flush=True)
        if not good:
            for line in str(why).splitlines():
                print("# " + line, flush=True)

    def skip(self, name, why):
        self.number += 1
        print(f"ok {self.number} - {name} # skip {why}", flush=True)

    def done(self):
        print(f"1..{self.number}")
        sys.exit(1 if self.failed else 0)


class Result:
    def __init__(self, status, out):
        self.status, self.out = status, out

    def __str__(self):
        return f"exit status {self.status}\n{self.out}"


def run(words, timeout=PATIENCE, env=None):
    """Run a program to its end; both streams together."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, env=env, errors="replace")
        return Result(done.returncode, done.stdout)
    except subprocess.TimeoutExpired as late:
        out = late.stdout or b""
        return Result(-1, (out if isinstance(out, str) else out.decode(errors="replace")) + "\n(timed out)")


def wait_until(condition, seconds=PATIENCE):
    """Ask again until it is true; False after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


class Linux:
    """A Linux host: a network namespace of its own."""

    def __init__(self, name):
        self.name = name
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
        atexit.register(self.holder.kill)
        mine = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != mine)
        self("ip", "link", "set", "lo", "up")

    def words(self, *words):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *words]

    def __call__(self, *words, timeout=PATIENCE):
        return run(self.words(*words), timeout)

    def must(self, *words):
        result = self(*words)
        if result.status != 0:
            raise SystemExit(f"{self.name}: {' '.join(words)}: {result}")
        return result

    def start(self, *words):
        child = subprocess.Popen(self.words(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 stdin=subprocess.DEVNULL)
        atexit.register(child.kill)
        return child

    def take(self, tap, address=None, gateway=None):
        """Bring a tap of Warren's here, with an address and the default route."""
        done = run(["ip", "link", "set", tap, "netns", str(self.holder.pid)])
        if done.status != 0:
            raise SystemExit(f"{self.name}: cannot take {tap}: {done}")
        if address:
            self.must("ip", "addr", "add", address, "dev", tap)
        self.must("ip", "link", "set", tap, "up")
        if gateway:
            self.must("ip", *(["-6"] if ":" in gateway else []), "route", "add", "default", "via", gateway)

    def counter(self, name):
        """A counter of nstat's."""
        for line in self("nstat", "-asz", name).out.splitlines():
            if line.startswith(name):
                return int(line.split()[1])
        return 0


class Warren:
    """A live process with a control socket of its own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="warren-interop.")
        atexit.register(shutil.rmtree, self.dir, ignore_errors=True)
        self.env = dict(os.environ, WARREN_SOCKET=os.path.join(self.dir, "ctl"))
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen([WARREN, "up"], env=self.env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT)
        atexit.register(self.process.kill)
        if not wait_until(lambda: os.path.exists(self.env["WARREN_SOCKET"]) and self("sysctl", "kern.ostype").status >= 0):
            raise SystemExit("warren up does not answer: " + self.words_of_log())

    def words_of_log(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def __call__(self, *words, timeout=PATIENCE):
        return run([WARREN, *words], timeout, self.env)

    def must(self, line):
        result = self(*line.split())
        if result.status != 0:
            raise SystemExit(f"warren {line}: {result}\n{self.words_of_log()}")
        return result

    def script(self, text):
        """One command a line; every one must work."""
        for line in text.strip().splitlines():
            if line.strip():
                self.must(line.strip())

    def start(self, *words):
        child = subprocess.Popen([WARREN, *words], env=self.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        atexit.register(child.kill)
        return child

    def down(self):
        """End it; its exit status, None if it hangs."""
        self("down")
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return None


def finds(pattern, text):
    return re.search(pattern, text, re.MULTILINE) is not None


class Iperf3:
    """A server of iperf3 on one host. It takes one client at a time and may be busy with the last one's end."""

    def __init__(self, host, family):
        self.host, self.family = host, family
        self.start()

    def start(self):
        self.server = self.host.start("iperf3", "-s", self.family)
        wait_until(lambda: "5201" in self.host("ss", "-ltn").out)

    def __call__(self, client, *words):
        for _ in range(5):
            if self.server.poll() is not None:
                self.start()
            done = client("iperf3", self.family, *words)
            if not finds(r"refused|busy", done.out):
                break
            time.sleep(1)
        return done


def serve_file(warren, server, client, address, size=3_000_000):
    """nginx on one host, curl on the other: is the file the same? (bool, curl's Result)"""
    where = tempfile.mkdtemp(dir=warren.dir)
    www, got, conf = (os.path.join(where, name) for name in ("www", "got", "nginx.conf"))
    os.mkdir(www)
    os.chmod(warren.dir, 0o711)
    os.chmod(where, 0o711)
    with open(os.path.join(www, "big"), "wb") as f:
        f.write(os.urandom(size))
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f"""daemon off; pid {where}/nginx.pid; error_log {where}/nginx.log; user root;
events {{}}
http {{ access_log off; client_body_temp_path {where}/t1; proxy_temp_path {where}/t2; fastcgi_temp_path {where}/t3;
uwsgi_temp_path {where}/t4; scgi_temp_path {where}/t5; server {{ listen {address}:80; root {www}; }} }}
""")
    server.start("nginx", "-c", conf)
    wait_until(lambda: f"{address}:80 " in server("ss", "-ltn").out)
    done = client("curl", "-sS", "-m", str(PATIENCE), "-o", got, f"http://{address}/big")
    if done.status != 0:
        return False, done
    with open(got, "rb") as a, open(os.path.join(www, "big"), "rb") as b:
        return a.read() == b.read(), done

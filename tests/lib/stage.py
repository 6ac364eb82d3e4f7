# SPDX-License-Identifier: Apache-2.0
"""The stage of demo and flow tests: certificates, a network namespace with real servers, the secret, the policy.

Everything happens inside a network and mount namespace that the caller made (unshare --net --mount), joined by a veth
pair to the servers' own namespace. Nothing here can reach another address, and all of it ends with its processes.
"""
import atexit
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BRIDLE = os.environ.get("BRIDLE", os.path.join(ROOT, "build", "bridle"))
PYTHON = "/usr/bin/python3"
USER = "daemon"
NAMES = ("gitlab.example.com", "api.example.com", "evil.example.com")
ADDRESSES = {"gitlab.example.com": ("10.77.0.2", "fd77::2"), "api.example.com": ("10.77.0.3", "fd77::3"),
             "evil.example.com": ("10.77.0.4", "fd77::4")}
SECRET_DIR = "/vault/secrets"
SECRET_FILE = SECRET_DIR + "/gitlab"


def sh(*argv, **kwargs):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **kwargs).stdout


def links():
    """Interfaces of this network namespace, asked of the kernel: /sys may still show another one's."""
    return [x["ifname"] for x in json.loads(sh("ip", "-json", "link"))]


class Stage:
    def __init__(self):
        if links() != ["lo"]:
            raise SystemExit("stage.py: run me under unshare --net --mount: the tests must not touch this machine's network")
        self.dir = tempfile.mkdtemp(prefix="bridle-stage-")
        # 0700: the servers' log holds what they saw, the secret too
        self.log = os.path.join(self.dir, "requests.jsonl")
        self.inside = self.make_inside()
        self.children = []
        self.secret = "glpat-" + os.urandom(12).hex()
        atexit.register(self.close)
        # Removing a directory takes away what is mounted on it in every namespace, so the last stage alone removes /vault.
        self.lock = open("/run/lock/bridle-stage.lock", "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_SH)
        self.make_certificates()
        self.make_network()
        self.make_secret()

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.children:
            child.wait()
        self.children = []
        subprocess.run(["umount", "/vault"], check=False, capture_output=True)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rmdir("/vault")
        except OSError:
            pass
        os.chdir("/")
        shutil.rmtree(self.inside, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def make_inside(self):
        """A directory for everybody: programs that run inside, and where they run. The checkout may be in /root."""
        path = tempfile.mkdtemp(prefix="bridle-inside-")
        os.chmod(path, 0o755)
        for name in ("agent.py", "rawclient.py"):
            shutil.copy(os.path.join(ROOT, "tests", "lib", name), path)
            os.chmod(os.path.join(path, name), 0o644)
        os.chdir(path)
        return path

    def make_certificates(self):
        d = self.dir
        ca = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        sh(*ca, "-keyout", d + "/ca.key", "-out", d + "/ca.pem", "-subj", "/CN=bridle test upstream CA",
           "-addext", "keyUsage=critical,keyCertSign")
        for name in NAMES:
            self.certify(name, [f"DNS:{name}"] + [f"IP:{a}" for a in ADDRESSES[name]])

    def certify(self, name, sans):
        """NAME.pem and NAME.key in the stage's directory, signed by its CA."""
        d = self.dir
        with open(f"{d}/{name}.ext", "w", encoding="ascii") as ext:
            ext.write("subjectAltName=" + ",".join(sans) + "\nextendedKeyUsage=serverAuth\n")
        sh("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
           f"{d}/{name}.key", "-out", f"{d}/{name}.csr", "-subj", f"/CN={name}")
        sh("openssl", "x509", "-req", "-in", f"{d}/{name}.csr", "-CA", d + "/ca.pem", "-CAkey", d + "/ca.key",
           "-CAcreateserial", "-days", "2", "-extfile", f"{d}/{name}.ext", "-out", f"{d}/{name}.pem")

    def add_host(self, addresses, names, ports):
        """One more server: addresses of its own, one certificate for all names, ports as ("http"|"https", number)."""
        inside = ["nsenter", "-t", str(self.servers), "-n"]
        for address in addresses:
            sh(*inside, "ip", "addr", "add", address + ("/64" if ":" in address else "/24"), "dev", "eth0",
               *(["nodad"] if ":" in address else []))
        self.certify("host", [f"DNS:{n}" for n in names] + [f"IP:{a}" for a in addresses])
        self.spawn(*inside, PYTHON, ROOT + "/tests/lib/server.py", self.dir, self.log, "--certificate", "host", "--ports",
                   ",".join(f"{scheme}:{port}" for scheme, port in ports), *addresses, ready="ready")

    def spawn(self, *argv, ready=None, **kwargs):
        child = subprocess.Popen(argv, stdout=subprocess.PIPE if ready else None, text=True, **kwargs)
        self.children.append(child)
        if ready:
            line = child.stdout.readline()
            if ready not in line:
                raise RuntimeError(f"{argv[0]} said {line!r} instead of {ready!r}")
        return child

    def new_netns(self):
        """A namespace that lives as long as its holder; returns the holder's pid."""
        holder = self.spawn("unshare", "--net", "sh", "-c", "echo up; exec sleep 3600", ready="up")
        return holder.pid

    def make_network(self):
        sh("ip", "link", "set", "lo", "up")
        self.servers = self.new_netns()
        inside = ["nsenter", "-t", str(self.servers), "-n"]
        sh("ip", "link", "add", "br0", "type", "veth", "peer", "name", "eth0", "netns", str(self.servers))
        sh("ip", "addr", "add", "10.77.0.1/24", "dev", "br0")
        sh("ip", "addr", "add", "fd77::1/64", "dev", "br0", "nodad")
        sh("ip", "link", "set", "br0", "up")
        flat = [a for pair in ADDRESSES.values() for a in pair]
        for address in flat:
            sh(*inside, "ip", "addr", "add", address + ("/64" if ":" in address else "/24"), "dev", "eth0",
               *(["nodad"] if ":" in address else []))
        sh(*inside, "ip", "link", "set", "lo", "up")
        sh(*inside, "ip", "link", "set", "eth0", "up")
        time.sleep(0.1)
        self.spawn(*inside, PYTHON, ROOT + "/tests/lib/server.py", self.dir, self.log, *flat, ready="ready")

    def make_secret(self):
        os.makedirs("/vault", exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=0755", "bridle-demo", "/vault")
        os.makedirs(SECRET_DIR, mode=0o755)
        self.write_secret(self.secret)

    def write_secret(self, value):
        """As Vault's agent does: a new file, then a rename over the old one."""
        with open(SECRET_FILE + ".new", "w", encoding="ascii") as f:
            f.write(value + "\n")
        os.chmod(SECRET_FILE + ".new", 0o644)  # readable for all: only the mask hides it
        os.rename(SECRET_FILE + ".new", SECRET_FILE)

    def policy(self, extra=None, base="gitlab.json"):
        """The user's example, unchanged, with `resolve` and `trust` for this stage beside it. Returns the file."""
        if isinstance(base, str):
            with open(os.path.join(ROOT, "policy", "examples", base), encoding="utf-8") as f:
                base = json.load(f)
        document = json.loads(json.dumps(base))
        document.setdefault("network", {})["resolve"] = {n: list(ADDRESSES[n]) for n in NAMES}
        document["tls"] = {"trust": [self.dir + "/ca.pem"]}
        for key, value in (extra or {}).items():
            document.setdefault(key, {}).update(value)
        path = tempfile.mktemp(prefix="policy-", suffix=".json", dir=self.dir)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f, indent=1)
        return path

    def requests(self):
        try:
            with open(self.log, encoding="utf-8") as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def forget_requests(self):
        if os.path.exists(self.log):
            os.truncate(self.log, 0)

    def run(self, policy, *command, timeout=120, options=(), **kwargs):
        argv = [BRIDLE, "run", "--user", USER, *(["--policy", policy] if policy else []),
                "--audit", os.path.join(self.dir, "audit.jsonl"), *options, "--", *command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, **kwargs)

    def audit(self):
        try:
            with open(os.path.join(self.dir, "audit.jsonl"), encoding="utf-8") as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

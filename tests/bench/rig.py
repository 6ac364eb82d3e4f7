# SPDX-License-Identifier: Apache-2.0
"""Where the benchmark happens: certificates, an nginx origin in a namespace of its own, names, the secret, the programs.

As the stage of the flow tests, inside `unshare --net --mount`: nothing here can reach another address, and all of it ends
with its processes. Origin and load share one core, the subject has the other.
"""
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import stage as st  # noqa: E402

ORIGIN = "10.77.0.2"
PORTS = {"relay": 8441, "nginx": 8442, "haproxy": 8443, "mitmproxy": 8444}
CORE_LOAD, CORE_SUBJECT = 0, 1
BULK = 64 << 20
CIPHERS = "TLS_AES_128_GCM_SHA256"
NGINX_DEFAULTS = """
error_log {dir}/{name}.log crit;
pid {dir}/{name}.pid;
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
user root;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {shm}/{name}-body;
  proxy_temp_path {shm}/{name}-proxy;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  ssl_protocols TLSv1.3;
  ssl_conf_command Ciphersuites """ + CIPHERS + """;
  ssl_ecdh_curve X25519;
  ssl_certificate {dir}/bench.pem;
  ssl_certificate_key {dir}/bench.key;
  {rest}
}}
"""
ORIGIN_REST = """
  open_file_cache max=16;
  server {{
    listen {address}:443 ssl backlog=4096;
    root {shm}/www;
    location /up/ {{ dav_methods PUT; client_body_buffer_size 64k; }}
  }}
"""


def host_of(subject):
    return subject + ".bench.test"


class Rig(st.Stage):
    """Certificates are for every NAME.bench.test; the load tells the subjects apart by name and address."""

    def make_inside(self):
        path = super().make_inside()
        here = os.path.dirname(os.path.abspath(__file__))
        shutil.copy(here + "/agent.py", path)
        for name in ("client", "connect"):
            shutil.copy(os.path.join(st.ROOT, "build", "release", "bench", name), path)
        with open(path + "/openssl.cnf", "w", encoding="ascii") as f:
            f.write("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1.3\n"
                    f"Ciphersuites = {CIPHERS}\nGroups = X25519\n")
        for name in os.listdir(path):
            os.chmod(os.path.join(path, name), 0o755)
        return path

    def make_certificates(self):
        d = self.dir
        ca = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        st.sh(*ca, "-keyout", d + "/ca.key", "-out", d + "/ca.pem", "-subj", "/CN=bridle bench upstream CA",
              "-addext", "keyUsage=critical,keyCertSign")
        self.certify("bench", ["DNS:*.bench.test"])
        with open(d + "/bench.both", "wb") as both:  # as HAProxy wants it
            for end in (".pem", ".key"):
                with open(d + "/bench" + end, "rb") as f:
                    both.write(f.read())

    def make_network(self):
        st.sh("ip", "link", "set", "lo", "up")
        self.servers = self.new_netns()
        inside = ["nsenter", "-t", str(self.servers), "-n"]
        st.sh("ip", "link", "add", "br0", "type", "veth", "peer", "name", "eth0", "netns", str(self.servers))
        st.sh("ip", "addr", "add", "10.77.0.1/24", "dev", "br0")
        st.sh("ip", "link", "set", "br0", "up")
        st.sh(*inside, "ip", "addr", "add", ORIGIN + "/24", "dev", "eth0")
        st.sh(*inside, "ip", "link", "set", "lo", "up")
        st.sh(*inside, "ip", "link", "set", "eth0", "up")
        self.make_names()
        self.make_origin(inside)

    def make_names(self):
        """In this mount namespace alone."""
        path = self.dir + "/hosts"
        with open(path, "w", encoding="ascii") as f:
            f.write(f"127.0.0.1 localhost\n{ORIGIN} {host_of('direct')} {host_of('bridle')} {host_of('origin')}\n")
            f.write("".join(f"127.0.0.1 {host_of(s)}\n" for s in PORTS))
        os.chmod(path, 0o644)
        st.sh("mount", "--bind", path, "/etc/hosts")

    def make_origin(self, inside):
        self.shm = self.dir + "/shm"
        os.makedirs(self.shm)
        st.sh("mount", "-t", "tmpfs", "-o", "size=1g", "bridle-bench", self.shm)
        os.makedirs(self.shm + "/www/up")
        for name, size in (("0", 0), ("1k", 1024), ("bulk", BULK)):
            with open(f"{self.shm}/www/{name}", "wb") as f:
                f.write(os.urandom(min(size, 1 << 20)) * max(1, size >> 20))
        self.origin = self.spawn(*inside, "taskset", "-c", str(CORE_LOAD), "nginx", "-c", self.nginx_file(
            "origin", ORIGIN_REST.format(address=ORIGIN, shm=self.shm)))
        self.wait_for_port(ORIGIN, 443)

    def nginx_file(self, name, rest):
        path = f"{self.dir}/{name}.conf"
        with open(path, "w", encoding="ascii") as f:
            f.write(NGINX_DEFAULTS.format(dir=self.dir, name=name, shm=self.shm, rest=rest))
        return path

    def wait_for_port(self, address, port, patience=20.0):
        """Until a whole exchange passes, so that nobody is measured while it still starts."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            done = subprocess.run([self.inside + "/client", "same", address, str(port), host_of("origin"), "0.01"],
                                  capture_output=True, check=False)
            if done.returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"nobody serves {address}:{port}")

    def policy_file(self, rules):
        """Rules of which the last ones allow the load, a credential, and names for leaves that nobody asked for before."""
        paths = [{"method": "GET", "path": f"/api/v4/projects/{i}/*/notes/**"} for i in range(rules - 4)]
        paths += [{"method": "GET", "path": p} for p in ("/0", "/1k", "/bulk")] + [{"method": "PUT", "path": "/up/*"}]
        document = {
            "custom_credentials": {"bench": {"upstream": "https://" + host_of("bridle"), "inject_header": "PRIVATE-TOKEN",
                                             "credential_key": "file://" + st.SECRET_FILE}},
            "network": {"allow_domain": [{"host": host_of("bridle") + ":443", "paths": paths},
                                         {"host": "*.leaf.test:443", "paths": [{"method": "GET", "path": "/1k"}]}],
                        "resolve": {host_of("bridle"): [ORIGIN]}},
            "tls": {"trust": [self.dir + "/ca.pem"]}}
        path = f"{self.dir}/policy-{rules}.json"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f, indent=1)
        return path

    def close(self):
        super().close()
        for path in ("/etc/hosts", getattr(self, "shm", "")):
            subprocess.run(["umount", path], check=False, capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

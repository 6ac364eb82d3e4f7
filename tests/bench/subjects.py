# SPDX-License-Identifier: Apache-2.0
"""The subjects: how each is started, where the load finds it, and which of its processes count."""
import json
import os
import signal
import subprocess

import account
from rig import CIPHERS, CORE_SUBJECT, ORIGIN, PORTS, host_of, st

RULES = 1000
PINNED = ["taskset", "-c", str(CORE_SUBJECT)]
NGINX_REST = """
  upstream origin {{ server {origin}:443; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 300s; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    location / {{
      proxy_pass https://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header PRIVATE-TOKEN {secret};
      proxy_request_buffering off;
      proxy_buffers 16 64k;
      proxy_buffer_size 64k;
      proxy_max_temp_file_size 0;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_conf_command Ciphersuites {ciphers};
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {dir}/ca.pem;
      proxy_ssl_name {name};
      proxy_ssl_server_name on;
    }}
  }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 8000
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites {ciphers}
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-server-ciphersuites {ciphers}
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  option http-keep-alive
  http-reuse always
frontend f
  bind 127.0.0.1:{port} ssl crt {dir}/bench.both alpn http/1.1 curves X25519 backlog 4096
  http-request set-header PRIVATE-TOKEN {secret}
  default_backend b
backend b
  server s {origin}:443 ssl verify required ca-file {dir}/ca.pem sni str({name}) verifyhost {name} alpn http/1.1
"""


class Agent:
    """The load's end of a pipe to agent.py."""

    def __init__(self, argv, env):
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, **order):
        self.child.stdin.write(json.dumps(order) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError("the load's agent ended")
        return json.loads(line)

    def run(self, *argv, timeout=60):
        done = self.ask(argv=list(argv), timeout=timeout)
        if done["code"] != 0:
            raise RuntimeError(f"{' '.join(argv)}: status {done['code']}: {done['out']} {done['err']}")
        return done["out"]

    def close(self):
        self.child.stdin.close()
        self.child.wait(timeout=60)


class Subject:
    """A process between load and origin. `pids` are those that count; `where` is what the load dials."""

    def __init__(self, rig, name):
        self.rig, self.name = rig, name
        self.child = self.agent = None
        self.host = host_of(name)
        self.where = ("127.0.0.1", PORTS.get(name, 443))

    def env(self):
        """For the load alone: one cipher and one group, so that no leg differs."""
        return {**os.environ, "OPENSSL_CONF": self.rig.inside + "/openssl.cnf"}

    def start(self):
        self.child = subprocess.Popen(PINNED + self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      start_new_session=True)
        self.rig.children.append(self.child)
        self.rig.wait_for_port(*self.where)
        self.agent = Agent([st.PYTHON, self.rig.inside + "/agent.py"], self.env())
        return self

    def pids(self):
        return account.tree(self.child.pid)

    def stop(self):
        self.agent.close()
        if self.child:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(timeout=60)
            self.rig.children.remove(self.child)
        self.child = self.agent = None

    def client(self, mode, amount, host=None, timeout=60):
        address, port = self.where
        return json.loads(self.agent.run(self.rig.inside + "/client", mode, address, str(port), host or self.host,
                                         str(amount), timeout=timeout))


class Direct(Subject):
    """No subject: the origin's own CPU, as the measure of what a proxy adds to."""

    def start(self):
        self.where = (ORIGIN, 443)
        self.agent = Agent([st.PYTHON, self.rig.inside + "/agent.py"], self.env())
        return self

    def pids(self):
        return account.tree(self.rig.origin.pid)


class Relay(Subject):
    def command(self):
        d = self.rig.dir
        return [os.path.join(st.ROOT, "build", "release", "bench", "relay"), str(self.where[1]), d + "/bench.pem",
                d + "/bench.key", ORIGIN, "443", host_of("origin"), d + "/ca.pem"]


class Nginx(Subject):
    def command(self):
        return ["nginx", "-c", self.rig.nginx_file("nginx", NGINX_REST.format(
            origin=ORIGIN, port=self.where[1], secret=self.rig.secret, dir=self.rig.dir, name=host_of("origin"),
            ciphers=CIPHERS))]


class Haproxy(Subject):
    def command(self):
        path = self.rig.dir + "/haproxy.conf"
        with open(path, "w", encoding="ascii") as f:
            f.write(HAPROXY.format(origin=ORIGIN, port=self.where[1], secret=self.rig.secret, dir=self.rig.dir,
                                   name=host_of("origin"), ciphers=CIPHERS))
        return ["haproxy", "-q", "-db", "-f", path]


class Mitmproxy(Subject):
    def command(self):
        d = self.rig.dir
        return ["mitmdump", "-q", "--mode", f"reverse:https://{host_of('origin')}:443", "--listen-host", "127.0.0.1",
                "--listen-port", str(self.where[1]), "--set", f"confdir={d}/mitm", "--set", "http2=false", "--set",
                f"ssl_verify_upstream_trusted_ca={d}/ca.pem", "--set", "stream_large_bodies=1m", "--set",
                "tls_version_client_min=TLS1_3", "--set", "tls_version_server_min=TLS1_3", "--set", "connection_strategy=lazy",
                "--modify-headers", f"/~q/PRIVATE-TOKEN/{self.rig.secret}"]


class Bridle(Subject):
    """The load runs inside the sandbox, so its connections are turned round by the hooks."""

    def start(self):
        self.where = (ORIGIN, 443)
        self.agent = Agent(PINNED + [st.BRIDLE, "run", "--name", "bench", "--user", st.USER, "--policy",
                                     self.rig.policy_file(RULES), "--audit", self.rig.dir + "/audit.jsonl", "--",
                                     st.PYTHON, self.rig.inside + "/agent.py"], self.env())
        self.agent.run("true")
        return self

    def pids(self):
        return account.outside_sandbox(account.tree(self.agent.child.pid))


KINDS = {"direct": Direct, "relay": Relay, "nginx": Nginx, "haproxy": Haproxy, "mitmproxy": Mitmproxy, "bridle": Bridle}


def make(rig, name):
    return KINDS[name](rig, name)

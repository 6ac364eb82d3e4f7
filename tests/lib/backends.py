# SPDX-License-Identifier: Apache-2.0
"""What stands behind the tests' HTTPS servers for real clients: `git http-backend`, and files of small registries.

Both live below the servers' directory, `git/` and `files/`. Neither answers without a credential in a header, so that a
client that gets an answer shows that one was put in.
"""
import os
import subprocess

KINDS = {".html": "text/html", ".json": "application/json", ".tgz": "application/gzip"}
CREDENTIALS = ("Private-Token", "Authorization")


def has_credential(headers):
    return any(headers.get(name) for name in CREDENTIALS)


def git(handler, root, body):
    """One CGI request; git itself says what it needs (gitprotocol-http)."""
    path, _, query = handler.path.partition("?")
    env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": root, "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "test",
           "REQUEST_METHOD": handler.command, "PATH_INFO": path[len("/git"):], "QUERY_STRING": query,
           "CONTENT_TYPE": handler.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
           "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
           "GIT_PROTOCOL": handler.headers.get("Git-Protocol", "")}
    out = subprocess.run(["git", "http-backend"], env=env, input=body, stdout=subprocess.PIPE, check=False).stdout
    head, _, content = out.partition(b"\r\n\r\n")
    headers = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n") if ": " in line]
    status = next((int(v.split()[0]) for k, v in headers if k == "Status"), 200)
    handler.answer(status, content, [(k, v) for k, v in headers if k not in ("Status", "Content-Length")])


def files(handler, root):
    """A file, or index.html or index.json of a folder."""
    path = os.path.realpath(root + handler.path.partition("?")[0][len("/files"):])
    if os.path.isdir(path):
        path = next((f"{path}/index{kind}" for kind in KINDS if os.path.exists(f"{path}/index{kind}")), path)
    if not path.startswith(os.path.realpath(root) + "/") or not os.path.isfile(path):
        handler.answer(404, b"no such file")
        return
    with open(path, "rb") as f:
        handler.answer(200, f.read(), [("Content-Type", KINDS.get(os.path.splitext(path)[1], "application/octet-stream"))])


def serve(handler, directory, body):
    """True when the path is one of ours."""
    top, _, rest = handler.path[1:].partition("/")
    if top not in ("git", "files") or (top == "git" and ".git/" not in rest):
        return False  # a path of the policy vectors may begin in the same way
    if not has_credential(handler.headers):
        handler.answer(401, b"who are you", [("WWW-Authenticate", 'Basic realm="test"')])
    elif top == "git":
        git(handler, directory + "/git", body)
    else:
        files(handler, directory + "/files")
    return True

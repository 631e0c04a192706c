"""An HTTP service that judges logins, as a user of Apus would write one."""

import http.server
import json
import socket
import ssl
import threading


def allow(**more):
    return 200, {"Content-Type": "application/json"}, json.dumps({"result": "allow", **more})


def deny():
    return 200, {"Content-Type": "application/json"}, json.dumps({"result": "deny"})


class Hook:
    """Listens on a port of its own; use it in a `with`.

    `answers` maps user names to functions that return status, fields and body; who is not there is denied. A function
    that returns None leaves the caller without an answer: the connection closes.
    """

    def __init__(self, certificate=None):
        self.answers, self.asked, self.connections = {}, [], 0
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.headers["Content-Type"] == "application/json"
                hook.asked.append((self.path, question))
                answer = hook.answers.get(question["username"], deny)()
                if answer is None:
                    self.close_connection = True
                    return
                status, fields, body = answer
                body = body.encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **fields}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                hook.connections += 1
                return super().get_request()

            def handle_error(self, *_):
                # Whoever does not trust the certificate leaves in the handshake.
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, target="/mqtt"):
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}{target}"

    def questions_of(self, user):
        return [question for _, question in self.asked if question["username"] == user]

    def targets_of(self, user):
        return {target for target, question in self.asked if question["username"] == user}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Nobody:
    """A port at which nobody answers, and that nobody else takes meanwhile."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

"""An HTTP receiver for hooks, in a process of its own: it checks signatures, writes down what it heard, and misbehaves as asked.

    python3 receiver.py LOG SECRET MODE [CERTIFICATE]      prints its port; a line of LOG a request: JSON
MODE: ok, fail:N (the first N are answered with 503), hang (never answers), redirect."""

import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading


def main():
    log, secret, mode = sys.argv[1:4]
    lock, seen = threading.Lock(), []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # pylint: disable=invalid-name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            signed = self.headers["Sluice-Timestamp"].encode() + b"." + body
            wanted = "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
            good = hmac.compare_digest(wanted, self.headers["Sluice-Signature"])
            with lock:
                seen.append(1)
                number = len(seen)
                with open(log, "a", encoding="utf-8") as into:
                    into.write(json.dumps({"signed": good, "key": self.headers["Idempotency-Key"], "event": self.headers["Sluice-Event"],
                                           "type": self.headers["Content-Type"], "body": body.decode()}) + "\n")
            if mode == "hang":
                threading.Event().wait()
            status = 503 if mode.startswith("fail:") and number <= int(mode[5:]) else 302 if mode == "redirect" else 200 if good else 401
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(b"not now" if status == 503 else b"heard")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


main()

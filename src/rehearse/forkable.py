"""moto's server that can be copied while it runs: `forkable.py HOST PORT CONTROL`.

A line on the socket CONTROL makes a copy of the process that serves the same world on a port of its own, from then on
apart from the original; the answer is `PORT PID`. It is made when no request is under way, so that no copy holds half
an answer or a lock. A copy ends with its original.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading

from werkzeug.serving import make_server

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app


class Gate:
    """Lets requests pass, or one copy be made."""

    def __init__(self):
        self.changed = threading.Condition()
        self.inside = 0
        self.closed = False

    @contextlib.contextmanager
    def request(self):
        with self.changed:
            self.changed.wait_for(lambda: not self.closed)
            self.inside += 1
        try:
            yield
        finally:
            with self.changed:
                self.inside -= 1
                self.changed.notify_all()

    @contextlib.contextmanager
    def quiet(self):
        with self.changed:
            self.closed = True
            self.changed.wait_for(lambda: self.inside == 0)
        try:
            yield
        finally:
            with self.changed:
                self.closed = False
                self.changed.notify_all()


class Server:
    def __init__(self, host, port):
        self.host, self.gate = host, Gate()
        self.app = DomainDispatcherApplication(create_backend_app)
        self.app.debug = True
        self.listen(port)

    def listen(self, port):
        gate = self.gate

        class Handler(MotoRequestHandler):
            def run_wsgi(self):
                with gate.request():
                    super().run_wsgi()

            def log_request(self, *_):
                pass

        self.server = make_server(self.host, port, self.app, threaded=True, request_handler=Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def copy(self, asked):
        """(port, pid) of the copy; the sockets in `asked` are not for it."""
        reading, writing = os.pipe()
        with self.gate.quiet():
            # What the collector does not look at stays shared between the copies.
            gc.freeze()
            pid = os.fork()
        if pid == 0:
            for mine in asked:
                mine.close()
            self.become_copy(reading, writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            return told.read().strip(), pid

    def become_copy(self, reading, writing):
        # Only this thread is left: neither the listener nor the watchdog of the original is this process's.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        os.close(reading)
        parent = os.getppid()
        self.server.socket.close()
        self.gate = Gate()
        self.listen(0)
        os.write(writing, str(self.port).encode())
        os.close(writing)
        # Whatever ended the original, nobody needs its copies any more.
        while os.getppid() == parent:
            threading.Event().wait(0.5)
        os._exit(0)


def main():
    host, port, control = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Copies are the kernel's to reap.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asked = socket.socket(socket.AF_UNIX)
    asked.bind(control)
    asked.listen()
    server = Server(host, port)
    print(f" * Running on http://{host}:{server.port}", flush=True)
    while True:
        connection, _ = asked.accept()
        with connection:
            connection.recv(16)
            port, pid = server.copy([asked, connection])
            connection.sendall(f"{port} {pid}\n".encode())


main()

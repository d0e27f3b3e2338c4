"""A file server that knows nothing of tokens. It shows who Access says the user
is, and listens on PORT."""
import html
import os
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Files(SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/":
            return super().do_GET()
        email = html.escape(self.headers.get("Cf-Access-Authenticated-User-Email", "nobody"))
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE.format(email=email).encode())

    def log_message(self, *_):
        pass


PAGE = """<!doctype html><html lang="en"><title>Files</title>
<style>:root {{ color-scheme: light dark; font: 1.1rem system-ui, sans-serif }} body {{ margin: 3rem }}</style>
<h1>Files</h1><p>Hello <b id="email">{email}</b>, these files are yours.
<p><a href="/notes.txt">notes.txt</a> <p><a href="/cdn-cgi/access/logout">Log out</a>
"""
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Files).serve_forever()

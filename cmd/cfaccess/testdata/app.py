"""An application for Python that verifies Access's token with PyJWT. It reads
TEAM_DOMAIN and POLICY_AUD, and listens on PORT."""
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

TEAM_DOMAIN = os.environ["TEAM_DOMAIN"]
POLICY_AUD = os.environ["POLICY_AUD"]
keys = jwt.PyJWKClient(f"{TEAM_DOMAIN}/cdn-cgi/access/certs")


class Application(BaseHTTPRequestHandler):
    def do_GET(self):
        token = self.headers.get("Cf-Access-Jwt-Assertion", "")
        try:
            key = keys.get_signing_key_from_jwt(token).key
            claims = jwt.decode(token, key, algorithms=["RS256"], audience=POLICY_AUD, issuer=TEAM_DOMAIN)
        except jwt.PyJWTError as error:
            self.answer(403, type(error).__name__)
        else:
            self.answer(200, "hello " + (claims.get("email") or claims["common_name"]))

    def answer(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(f"{text}\n".encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Application).serve_forever()

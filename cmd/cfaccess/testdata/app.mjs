// An application for Node that verifies Access's token with jose. It reads
// TEAM_DOMAIN and POLICY_AUD, and listens on PORT.
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

const { TEAM_DOMAIN: issuer, POLICY_AUD: audience, PORT } = process.env;
const keys = createRemoteJWKSet(new URL(`${issuer}/cdn-cgi/access/certs`));

const server = createServer(async (request, response) => {
  try {
    const token = request.headers["cf-access-jwt-assertion"] ?? "";
    const { payload } = await jwtVerify(token, keys, { issuer, audience });
    response.end(`hello ${payload.email ?? payload.common_name}\n`);
  } catch (error) {
    response.writeHead(403).end(`${error.code}\n`);
  }
});
server.listen(Number(PORT), "127.0.0.1");

// The API keys of better-auth: verifyApiKey, SQLite (WAL), its limit of calls switched off.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db";
import { apiKey } from "better-auth/plugins";
import Database from "better-sqlite3";

const folder = process.env.PEER_FOLDER;
const database = new Database(join(folder, "peer.db"));
database.pragma("journal_mode = WAL");
database.pragma("synchronous = NORMAL");
const auth = betterAuth({
  database,
  baseURL: `http://127.0.0.1:${process.env.PEER_PORT}`,
  secret: randomBytes(32).toString("hex"),
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
const password = randomBytes(16).toString("hex");
const { user } = await auth.api.signUpEmail({ body: { email: "a@example.com", password, name: "a" } });
const tokens = [];
for (let number = 0; number < Number(process.env.PEER_KEYS); number++) {
  const made = await auth.api.createApiKey({ body: { userId: user.id, name: `account-${number}` } });
  tokens.push(made.key);
}
writeFileSync(join(folder, "tokens"), tokens.join("\n"));

createServer(async (request, response) => {
  const key = request.headers["x-api-key"];
  const told = key ? await auth.api.verifyApiKey({ body: { key } }) : { valid: false };
  const answer = told.valid ? { allowed: true, name: told.key.name } : { refused: true };
  response.writeHead(told.valid ? 200 : 401, { "content-type": "application/json" });
  response.end(JSON.stringify(answer));
}).listen(Number(process.env.PEER_PORT), "127.0.0.1");

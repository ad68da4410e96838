// The introspection of oidc-provider (RFC 7662), its models in SQLite (WAL) by an adapter as its documents describe.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import Provider from "oidc-provider";

const folder = process.env.PEER_FOLDER;
const db = new Database(join(folder, "peer.db"));
db.pragma("journal_mode = WAL");
db.pragma("synchronous = NORMAL");
db.exec(`CREATE TABLE models (name TEXT, id TEXT, grant_id TEXT, uid TEXT, user_code TEXT, payload TEXT, until INTEGER,
  PRIMARY KEY (name, id)) WITHOUT ROWID`);
const put = db.prepare("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?)");
const get = db.prepare("SELECT payload, until FROM models WHERE name = ? AND id = ?");
const now = () => Math.floor(Date.now() / 1000);

class Adapter {
  constructor(name) {
    this.name = name;
  }
  async upsert(id, payload, expiresIn) {
    const { grantId = null, uid = null, userCode = null } = payload;
    put.run(this.name, id, grantId, uid, userCode, JSON.stringify(payload), expiresIn ? now() + expiresIn : null);
  }
  async find(id) {
    const row = get.get(this.name, id);
    return row && (row.until === null || row.until > now()) ? JSON.parse(row.payload) : undefined;
  }
  async findByUid() {}
  async findByUserCode() {}
  async destroy(id) {
    db.prepare("DELETE FROM models WHERE name = ? AND id = ?").run(this.name, id);
  }
  async revokeByGrantId(id) {
    db.prepare("DELETE FROM models WHERE grant_id = ?").run(id);
  }
  async consume() {}
}

const secret = randomBytes(30).toString("hex");
const provider = new Provider(`http://127.0.0.1:${process.env.PEER_PORT}`, {
  adapter: Adapter,
  clients: [
    {
      client_id: "asker",
      client_secret: secret,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
  },
  ttl: { ClientCredentials: 86400 },
});
const client = await provider.Client.find("asker");
const tokens = [];
for (let number = 0; number < Number(process.env.PEER_KEYS); number++)
  tokens.push(await new provider.ClientCredentials({ client, scope: undefined }).save());
writeFileSync(join(folder, "asker"), `asker:${secret}`);
writeFileSync(join(folder, "tokens"), tokens.join("\n"));
provider.listen(Number(process.env.PEER_PORT), "127.0.0.1");

import { readFile } from "node:fs/promises";
import { permits } from "@central-llm/core/model-access";
import { hashKey } from "@central-llm/core/virtual-key";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminServer } from "../testing/admin-server.ts";
import {
  admitted,
  connect,
  request,
  type TestPostgres,
  testGateway,
  testPostgres,
  usage,
  verdict,
} from "../testing/gateway-database.ts";
import type { Database } from "./database.ts";
import { migrate } from "./migrate.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await testPostgres();
});
afterAll(() => postgres.stop());

const LITELLM = await readFile(new URL("../testing/litellm-database.sql", import.meta.url), "utf8");

/** Everything that PostgreSQL knows of the objects in LiteLLM's schema. */
async function schemaOf(database: Database): Promise<unknown> {
  const columns = await database.pool.query(
    "SELECT * FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
  );
  const indexes = await database.pool.query(
    "SELECT * FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
  );
  const others = await database.pool.query(
    `SELECT conname AS name FROM pg_constraint WHERE connamespace = 'public'::regnamespace UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
     UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1`,
  );
  return { columns: columns.rows, indexes: indexes.rows, others: others.rows };
}

describe("migrate", () => {
  it("creates what is absent, once, however many processes start together", async () => {
    const url = await postgres.emptyDatabase();
    const databases = Array.from({ length: 5 }, () => connect(url));
    const results = await Promise.all(databases.map(migrate));
    expect(results.filter(({ litellmTables }) => litellmTables === "created")).toHaveLength(1);
    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
    await Promise.all(databases.map((database) => database.close()));
  });

  it("works on a database that LiteLLM made, and leaves its tables as they are", async () => {
    const url = await postgres.emptyDatabase();
    const setUp = connect(url);
    await setUp.pool.query(LITELLM);
    const before = await schemaOf(setUp);
    const gateway = await testGateway(url);
    const admin = await adminServer(gateway.database);
    try {
      expect(await migrate(gateway.database)).toEqual({ litellmTables: "found", applied: [] });
      const token = hashKey("sk-litellm-made-key");
      const opus = (key: string) => request(hashKey(key), { model: "claude-3-opus" });
      expect(verdict(await gateway.ledger.admit(request(token)))).toBe("model_denied");
      const first = admitted(await gateway.ledger.admit(opus("sk-litellm-made-key")));
      await gateway.ledger.settle(first.reservation, usage("r1", { cost: 1.5 }));
      const rotated = (
        await admin.call("POST", "/key/sk-litellm-made-key/regenerate", { grace_period: "1h" })
      ).body;
      expect(rotated).toMatchObject({ spend: 1.5, future_column: "kept" });
      expect(verdict(await gateway.ledger.admit(opus(rotated.key)))).toBe("admitted");
      expect(verdict(await gateway.ledger.admit(opus("sk-litellm-made-key")))).toBe(
        "rate_limited:api_key:requests",
      );
      const made = (await admin.call("POST", "/key/generate", { team_id: "t", user_id: "u" })).body;
      expect((await admin.call("POST", "/key/generate", { budget_id: "none" })).status).toBe(400);
      expect((await admin.call("POST", "/key/update", { key: made.key, max_budget: 3 })).status).toBe(200);
      expect((await admin.call("POST", "/key/delete", { keys: [made.key] })).status).toBe(200);
      const info = await admin.call("GET", "/user/info?user_id=default_user_id");
      expect(info.body.user_info).toMatchObject({ spend: 1.5 });
      expect(JSON.stringify(info.body)).not.toContain("secret-hash");
      expect(
        (await admin.call("POST", "/user/delete", { user_ids: ["default_user_id"] })).body.deleted_users,
      ).toBe(1);
      expect(await gateway.rows('SELECT FROM "LiteLLM_TeamMembership"')).toHaveLength(0);
      expect(await schemaOf(gateway.database)).toEqual(before);
      expect(admin.errors).toEqual([]);
    } finally {
      await admin.close();
      await gateway.close();
      await setUp.close();
    }
  });

  it("names what an older LiteLLM's database lacks, and changes nothing", async () => {
    const database = connect(await postgres.emptyDatabase());
    await database.pool.query(LITELLM);
    await database.pool.query(
      'ALTER TABLE "LiteLLM_VerificationToken" DROP COLUMN rotation_count; ALTER TABLE "LiteLLM_SpendLogs" DROP COLUMN status',
    );
    await expect(migrate(database)).rejects.toThrow(
      "This LiteLLM database is too old for the gateway; it lacks LiteLLM_VerificationToken.rotation_count, LiteLLM_SpendLogs.status",
    );
    const left = await database.pool.query("SELECT to_regnamespace('central_llm') AS schema");
    expect(left.rows).toEqual([{ schema: null }]);
    await database.close();
  });

  it("takes LiteLLM's tables from the schema that the URL names", async () => {
    const url = await postgres.emptyDatabase();
    const setUp = connect(url);
    await setUp.pool.query("CREATE SCHEMA llm");
    const gateway = await testGateway(`${url}?schema=llm`);
    const token = await gateway.key({ rpm_limit: 1 });
    expect(verdict(await gateway.ledger.admit(request(token)))).toBe("admitted");
    expect((await setUp.pool.query('SELECT token FROM llm."LiteLLM_VerificationToken"')).rows).toEqual([
      { token },
    ]);
    await gateway.close();
    await setUp.close();
  });
});

describe("lists of models", () => {
  it("mean the same in the database and out of it", async () => {
    const gateway = await testGateway(await postgres.emptyDatabase());
    const lists = [
      [],
      ["a"],
      ["a", "b"],
      ["*"],
      ["all-proxy-models"],
      ["no-default-models"],
      ["a*"],
      ["*a"],
      ["a*c"],
      ["a_c"],
      ["a%"],
      ["a.c*"],
      ["a\\*"],
      ["(a)*"],
    ];
    const names = [["a"], ["abc"], ["b", "a"], ["a_c"], ["axc"], ["a%"], ["a\\b"], ["(a)x"], ["a\nc"], [""]];
    for (const models of lists) {
      for (const asked of names) {
        const [row] = await gateway.rows("SELECT central_llm.permits($1, $2) AS yes", [models, asked]);
        expect(permits(models, asked), `${JSON.stringify(models)} ${JSON.stringify(asked)}`).toBe(row?.yes);
      }
    }
    await gateway.close();
  });
});

/** What `npm start` tells the person at the terminal: where everything is, and what to try first. */

export function welcome(
  variables: Record<string, string>,
  settings: {
    usagePlan: string;
    folder: string;
    UPSTREAM_URL?: string | undefined;
    accounts: { name: string; password: string }[];
  },
): string {
  const { CENTRAL_URL, CENTRAL_PROXY_URL, CENTRAL_API_KEY, AWS_ENDPOINT_URL, AUDIT_BUCKET, TABLE_NAME } =
    variables;
  const accounts = settings.accounts.map(({ name, password }) => `${name} / ${password}`).join(", ");
  const { GATEWAY_URL, GATEWAY_API_KEY, DATABASE_URL = "" } = variables;
  const rows = [
    [
      "Edge (API Gateway)",
      `${CENTRAL_URL}/v1`,
      `x-api-key from ${settings.folder}/env; plan ${settings.usagePlan}`,
    ],
    ["Central proxy", `${CENTRAL_PROXY_URL}`, "/health, /ready, /metrics"],
    ["Audit console", `${variables.CONSOLE_URL}`, "sign in as one of those below"],
    ["Model", settings.UPSTREAM_URL ?? "demo", settings.UPSTREAM_URL ? "yours" : "answers without a GPU"],
    [
      "Gateway (LiteLLM's API)",
      `${GATEWAY_URL}`,
      `GATEWAY_API_KEY and LITELLM_MASTER_KEY in ${settings.folder}/env; Bedrock is made up`,
    ],
    ["PostgreSQL", DATABASE_URL.replace(/^.*@/, ""), "keys, limits and spend; DATABASE_URL"],
    ["S3, SQS, DynamoDB", `${AWS_ENDPOINT_URL}`, `s3://${AUDIT_BUCKET}, table ${TABLE_NAME}`],
    ["Data, keys and logs", settings.folder, "`npm start -- --fresh` wipes them"],
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map(
    ([what = "", where = "", note = ""]) =>
      `  ${what.padEnd(widths[0] ?? 0)}  ${where.padEnd(widths[1] ?? 0)}  ${note}`,
  );
  const curl =
    `curl -sS ${CENTRAL_URL}/v1/chat/completions -H 'x-api-key: ${CENTRAL_API_KEY}' -H 'content-type: application/json' ` +
    "-H 'x-llm-source: smoke-test' -H 'x-llm-user: qa' -H 'x-llm-request-type: chat' " +
    `-d '{"model":"ministral-8b-instruct","messages":[{"role":"user","content":"ping"}],"max_tokens":16}'`;
  const gatewayCurl =
    `curl -sS ${GATEWAY_URL}/v1/chat/completions -H 'authorization: Bearer ${GATEWAY_API_KEY}' -H 'content-type: application/json' -H 'x-llm-source: smoke-test' ` +
    `-d '{"model":"claude-3-5-sonnet","messages":[{"role":"user","content":"ping"}]}'`;
  return [
    "",
    "Central LLM is up.",
    "",
    ...table,
    "",
    `The console's accounts: ${accounts}`,
    "",
    "Try it, in another terminal:",
    "",
    curl,
    "",
    gatewayCurl,
    "",
    "A second later the calls are in the audit trail: npm run central-llm -- query --project smoke-test",
    "A realistic mix of calls: npm run demo. Ctrl-C stops everything.",
    "",
  ].join("\n");
}

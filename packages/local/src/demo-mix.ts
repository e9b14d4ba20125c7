/** A realistic mix of calls: who asks for what, how often, and what goes wrong. The same number gives the same mix. */

export interface DemoCall {
  path: string;
  headers: Record<string, string>;
  body: object;
  /** Milliseconds after which this client has had enough. */
  leaveAfterMs?: number;
}

interface Team {
  project: string;
  users: string[];
  /** Of a hundred calls. */
  share: number;
  calls: Call[];
}
type Call = (n: number) => {
  type: string;
  path?: string;
  body: object;
  headers?: Record<string, string>;
  leaveAfterMs?: number;
};

const MODEL = "ministral-8b-instruct";
const SUBJECTS = [
  "the parental leave policy",
  "last quarter's churn in the Nordics",
  "a refund for order 48-2210",
  "our incident on the payment gateway",
  "the new onboarding checklist",
  "supplier contracts that end in March",
  "a press release about the Leipzig site",
  "unit tests for the tax calculator",
];
const subject = (n: number) => SUBJECTS[n % SUBJECTS.length] ?? "";

const chat =
  (ask: string, more: object = {}): Call =>
  (n) => ({
    type: "chat",
    body: {
      model: MODEL,
      messages: [
        { role: "system", content: "You are a helpful assistant of a mid-sized company." },
        { role: "user", content: `${ask} ${subject(n)}.` },
      ],
      ...more,
    },
  });
const stream = (ask: string): Call => chat(ask, { stream: true, stream_options: { include_usage: true } });
const embed: Call = (n) => ({
  type: "embedding",
  path: "/v1/embeddings",
  body: { model: "bge-m3", input: [subject(n), subject(n + 1)] },
});
const weather: Call = (n) => ({
  ...chat("Check the calendar and the weather in Oslo for")(n),
  type: "agent",
  body: {
    model: MODEL,
    messages: [{ role: "user", content: "What is the weather in Oslo, and what does my calendar say?" }],
    tools: ["get_weather", "get_calendar"].map((name) => ({
      type: "function",
      function: { name, parameters: { type: "object", properties: { city: { type: "string" } } } },
    })),
  },
});
const failing =
  (status: number): Call =>
  (n) => ({ ...chat("Summarise")(n), type: "chat", headers: { "x-demo-status": String(status) } });
const unknownModel: Call = (n) => ({
  ...chat("Translate")(n),
  type: "chat",
  body: { model: "gpt-9", messages: [{ role: "user", content: subject(n) }] },
});
const cut: Call = (n) => ({
  ...stream("Draft a long note about")(n),
  type: "chat",
  headers: { "x-demo-cut": "6" },
});
const impatient: Call = (n) => ({
  ...stream("Write an essay about")(n),
  type: "chat",
  headers: { "x-demo-chunk-ms": "40" },
  leaveAfterMs: 250,
});

const often = (call: Call, times: number): Call[] => Array.from({ length: times }, () => call);

const TEAMS: Team[] = [
  {
    project: "support-assistant",
    users: ["mara.lindqvist", "joao.pires", "aiko.tanaka", "svc-helpdesk"],
    share: 55,
    calls: [
      ...often(stream("Answer the customer about"), 8),
      ...often(chat("Summarise"), 5),
      failing(429),
      impatient,
      cut,
    ],
  },
  {
    project: "knowledge-search",
    users: ["svc-indexer", "nadia.haddad"],
    share: 25,
    calls: [...often(embed, 7), ...often(chat("Find what we know about"), 2), unknownModel],
  },
  {
    project: "coding-agent",
    users: ["tomasz.nowak", "priya.raman"],
    share: 15,
    calls: [...often(weather, 3), ...often(stream("Explain and improve"), 4), failing(500), failing(503)],
  },
  { project: "smoke-test", users: ["qa"], share: 5, calls: [chat("ping about")] },
];

/** The n-th call of the mix. */
export function demoCall(n: number): DemoCall {
  // Steps by a number prime to 100: the teams alternate and keep their shares in any hundred calls.
  let place = (n * 37) % 100;
  const team = TEAMS.find(({ share }) => {
    place -= share;
    return place < 0;
  }) as Team;
  const made = (team.calls[Math.floor(n / 3) % team.calls.length] as Call)(n);
  return {
    path: made.path ?? "/v1/chat/completions",
    headers: {
      "content-type": "application/json",
      "x-llm-source": team.project,
      "x-llm-user": team.users[n % team.users.length] ?? "",
      "x-llm-request-type": made.type,
      ...made.headers,
    },
    body: made.body,
    ...(made.leaveAfterMs && { leaveAfterMs: made.leaveAfterMs }),
  };
}

/** The columns of the Audit table, in their order; those of `DEFAULT_COLUMNS` show until others are chosen. */
export const COLUMNS = {
  receivedAt: "Received",
  project: "Project",
  user: "User",
  model: "Model",
  requestType: "Type",
  status: "Status",
  outcome: "Outcome",
  latency: "Latency",
  firstToken: "First token",
  tokens: "Tokens in / out",
  cost: "Cost",
  profile: "Profile",
  marks: "Marks",
  proof: "Proof",
  promptPreview: "Prompt",
  responsePreview: "Answer",
  requestId: "Request id",
} as const;
export type ColumnName = keyof typeof COLUMNS;
export const COLUMN_NAMES = Object.keys(COLUMNS) as ColumnName[];

export const DEFAULT_COLUMNS: readonly ColumnName[] = [
  "receivedAt",
  "project",
  "user",
  "model",
  "status",
  "latency",
  "tokens",
  "cost",
  "marks",
];

export const columnsOf = (text: string | undefined): readonly ColumnName[] =>
  text === undefined ? DEFAULT_COLUMNS : COLUMN_NAMES.filter((name) => text.split(",").includes(name));

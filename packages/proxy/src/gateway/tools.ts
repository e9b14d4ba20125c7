/** Tools, whether and how they may be called, and the tool that makes Claude answer in JSON. */
import type { Tool, ToolChoice } from "@aws-sdk/client-bedrock-runtime";
import { invalid, unsupported } from "./refusal.ts";
import { thinks } from "./thinking.ts";
import { type CacheControl, cachePoint, cannotHonour, type Draft } from "./translation.ts";

export interface ToolDefinition {
  name: string;
  description: string | null | undefined;
  schema: Record<string, unknown> | null | undefined;
  strict: boolean | null | undefined;
  cacheControl: CacheControl | null | undefined;
  /** Where it stands in the request. */
  param: string;
}

export type Choice = { type: "auto" | "any" | "none" } | { type: "tool"; name: string };

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * @param choiceParam the parameter that holds the choice
 * @param parallel null: as the model likes
 */
export function addTools(
  draft: Draft,
  definitions: ToolDefinition[],
  choice: Choice | null,
  choiceParam: string,
  parallel: boolean | null,
): void {
  const { ability } = draft.settings;
  if (definitions.length > 0 && !ability.tools) throw unsupported("tools", "This model calls no tools.");
  const used = namesInHistory(draft);
  const forbidden = choice?.type === "none" || definitions.length === 0;
  // Converse refuses calls and results in the messages when no tools are declared, so those that were called are.
  const tools =
    definitions.length > 0 ? definitions.flatMap((tool) => declare(draft, tool)) : used.map(declareUnknown);
  if (tools.length === 0 || (forbidden && used.length === 0)) return;
  draft.input.toolConfig = { tools };
  if (forbidden) {
    // Converse knows no "none"; Claude does, and its own field is handed on to it.
    draft.fields.tool_choice = { type: "none" };
    return;
  }
  const wanted = permitted(draft, choice, choiceParam);
  if (wanted?.type === "tool" && !definitions.some(({ name }) => name === wanted.name))
    throw invalid(choiceParam, `There is no tool named '${wanted.name}' in 'tools'.`);
  if (parallel === false)
    draft.fields.tool_choice = { ...(wanted ?? { type: "auto" }), disable_parallel_tool_use: true };
  else if (wanted) draft.input.toolConfig.toolChoice = converseChoice(wanted);
}

function permitted(draft: Draft, choice: Choice | null, param: string): Choice | null {
  if (choice === null || choice.type === "auto" || choice.type === "none") return choice;
  if (draft.settings.ability.forcedTools && !thinksByChoice(draft)) return choice;
  const why = draft.settings.ability.forcedTools
    ? "A model that thinks cannot be made to call a tool."
    : "This model cannot be made to call a tool.";
  cannotHonour(draft, unsupported(param, why));
  return { type: "auto" };
}

const thinksByChoice = (draft: Draft) => draft.fields.thinking !== undefined && thinks(draft);

function converseChoice(choice: Choice): ToolChoice {
  if (choice.type === "tool") return { tool: { name: choice.name } };
  return choice.type === "any" ? { any: {} } : { auto: {} };
}

function declare(draft: Draft, tool: ToolDefinition): Tool[] {
  if (!NAME.test(tool.name))
    throw invalid(`${tool.param}.name`, "A tool's name has 1 to 64 letters, digits, _ and -.");
  const strict = tool.strict === true && draft.settings.ability.strictTools ? { strict: true } : {};
  const described = tool.description?.trim() ? { description: tool.description } : {};
  const json = tool.schema ?? {};
  const schema = json.type === undefined ? { type: "object", properties: {}, ...json } : json;
  return [
    { toolSpec: { name: tool.name, ...described, inputSchema: { json: schema as never }, ...strict } },
    ...cachePoint(draft, tool.cacheControl),
  ];
}

const declareUnknown = (name: string): Tool => ({
  toolSpec: { name, inputSchema: { json: { type: "object" } } },
});

function namesInHistory(draft: Draft): string[] {
  const names = draft.messages.flatMap(({ content }) =>
    (content ?? []).flatMap((block) => (block.toolUse?.name ? [block.toolUse.name] : [])),
  );
  return [...new Set(names)];
}

export interface AnswerSchema {
  name: string;
  description: string | null | undefined;
  schema: Record<string, unknown>;
  param: string;
}

/**
 * Holds the answer to a JSON schema: by Bedrock's own structured output where model and schema allow, else by a tool that
 * must be called, else by asking for it.
 * @returns the tool whose input is the answer, or null
 */
export function answerIn(draft: Draft, { name, description, schema, param }: AnswerSchema): string | null {
  const { ability } = draft.settings;
  if (ability.structuredOutput === "native" && isClosed(schema)) {
    const jsonSchema = { name, schema: JSON.stringify(schema), ...(description ? { description } : {}) };
    draft.input.outputConfig = {
      ...draft.input.outputConfig,
      textFormat: { type: "json_schema", structure: { jsonSchema } },
    };
    return null;
  }
  if (
    ability.structuredOutput === "instruction" ||
    !ability.forcedTools ||
    thinks(draft) ||
    !isObject(schema)
  ) {
    draft.system.push({ text: askFor(schema) });
    return null;
  }
  // The caller wants a certain tool's call, not an answer.
  if (draft.input.toolConfig?.toolChoice?.tool) return null;
  const tool = NAME.test(name) ? name : "answer";
  const tools = draft.input.toolConfig?.tools ?? [];
  const others = tools.length > 0 && !isNone(draft.fields.tool_choice);
  if (tools.some(({ toolSpec }) => toolSpec?.name === tool))
    throw invalid(`${param}.name`, `'${tool}' is already the name of a tool.`);
  const toolSpec = {
    name: tool,
    description: description || "Give the answer in this form.",
    inputSchema: { json: schema as never },
  };
  const forced = others ? { any: {} } : { tool: { name: tool } };
  delete draft.fields.tool_choice;
  draft.input.toolConfig = { tools: [...tools, { toolSpec }], toolChoice: forced };
  return tool;
}

/** `json_object` has no schema to hold the answer to; Claude keeps to JSON when it is told. */
export function answerInAnyJson(draft: Draft): void {
  draft.system.push({ text: "Answer with one JSON object and nothing else: no prose, no code fence." });
}

const askFor = (schema: unknown) =>
  `Answer with JSON of this schema and nothing else: no prose, no code fence.\n${JSON.stringify(schema)}`;

const isNone = (choice: unknown) => (choice as { type?: string } | undefined)?.type === "none";

const isObject = (schema: Record<string, unknown>) => schema.type === "object";

/** Bedrock compiles only schemas whose objects all say `additionalProperties: false`, and no recursive ones. */
export function isClosed(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isClosed);
  if (typeof schema !== "object" || schema === null) return true;
  const node = schema as Record<string, unknown>;
  if (node.type === "object" && node.additionalProperties !== false) return false;
  if (node.$ref === "#") return false;
  return Object.values(node).every(isClosed);
}

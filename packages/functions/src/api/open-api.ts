/** The contract as an OpenAPI 3.1 document, whose schemas are JSON Schema 2020-12, as zod gives them. */
import { z } from "zod";
import { ROUTES } from "./contract.ts";
import { ErrorAnswer } from "./contract-error.ts";
import type { Route } from "./contract-route.ts";

function schemaOf(schema: z.ZodType, io: "input" | "output") {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

const content = (schema: z.ZodType, io: "input" | "output") => ({
  content: { "application/json": { schema: schemaOf(schema, io) } },
});

function parameters(schema: z.ZodObject | undefined, place: "path" | "query") {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, "input");
  return Object.entries(properties).map(([name, definition]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: definition,
  }));
}

function operation(operationId: string, route: Route) {
  return {
    operationId,
    summary: route.summary,
    "x-permission": route.permission,
    ...(route.permission === "public" && { security: [] }),
    parameters: [...parameters(route.params, "path"), ...parameters(route.query, "query")],
    ...(route.body && { requestBody: { required: true, ...content(route.body, "input") } }),
    responses: {
      [route.status ?? 200]: { description: "Success", ...content(route.answer, "output") },
      default: { description: "An error", ...content(ErrorAnswer, "output") },
    },
  };
}

let made: ReturnType<typeof make> | undefined;

function make() {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [name, route] of Object.entries(ROUTES)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(name, route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Central LLM: the audit console's API", version: "1.0.0" },
    security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
    paths,
  };
}

/** Made at the first call: it costs some milliseconds that other calls need not wait for. */
export function openApi() {
  made ??= make();
  return made;
}

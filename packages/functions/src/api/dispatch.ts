/** From an API Gateway event to an answer: parses what came in, checks the permission, calls the handler, checks what goes out. */
import { AccessNotRecorded } from "@central-llm/core/access-writer";
import { CursorError } from "@central-llm/core/audit-cursor";
import type { APIGatewayProxyEventV2WithJWTAuthorizer, Context } from "aws-lambda";
import type { z } from "zod";
import type { ApiContext } from "./api-context.ts";
import type { Call, Handler } from "./call.ts";
import type { Route } from "./contract-route.ts";
import { Failure } from "./failure.ts";
import { may } from "./permission.ts";
import { type SignedIn, signedIn } from "./person.ts";

export type HttpEvent = APIGatewayProxyEventV2WithJWTAuthorizer;

const NOBODY: SignedIn = {
  person: { subject: "", name: "", roles: [], projects: [] },
  tokenExpiresAt: null,
};

/** The answer as API Gateway takes it. */
export async function dispatch<R extends Route>(
  route: R,
  handler: Handler<R>,
  context: ApiContext,
  event: HttpEvent,
  lambda: Pick<Context, "getRemainingTimeInMillis">,
) {
  const receivedAt = Date.now();
  const claims = event.requestContext.authorizer?.jwt?.claims ?? null;
  const { person, tokenExpiresAt } =
    route.permission === "public" ? NOBODY : signedIn(claims, context.config.OIDC_GROUPS_CLAIM);
  if (route.permission !== "public" && route.permission !== "signed-in" && !may(person, route.permission)) {
    throw new Failure("forbidden", "Your role does not allow this.", { permission: route.permission });
  }
  const { http } = event.requestContext;
  const call = {
    person,
    tokenExpiresAt,
    params: parse(route.params, decoded(event.pathParameters, route), "path"),
    query: parse(route.query, event.queryStringParameters ?? {}, "query"),
    body: parse(route.body, route.body && json(event), "body"),
    context,
    receivedAt,
    remainingMs: () => lambda.getRemainingTimeInMillis(),
    async audit({ action, target = null, projectId = null, reason = null, details = {} }) {
      const who = { ...person, clientIp: http.sourceIp ?? null, userAgent: http.userAgent ?? null };
      const access = { action, target, projectId, reason, details };
      try {
        const at = { method: http.method, path: route.path };
        return await context.accesses.record(access, who, at, receivedAt);
      } catch (error) {
        if (!(error instanceof AccessNotRecorded)) throw error;
        throw new Failure(
          "audit_unavailable",
          "This access could not be recorded, so it is not granted. Try again.",
          null,
          {
            cause: error,
          },
        );
      }
    },
  } as Omit<Call, "params" | "query" | "body"> as Call<R>;
  const answer = route.answer.parse(await answered(handler, call));
  return {
    statusCode: route.status ?? 200,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: JSON.stringify(answer),
  };
}

async function answered<R extends Route>(handler: Handler<R>, call: Call<R>) {
  try {
    return await handler(call);
  } catch (error) {
    if (error instanceof CursorError) throw new Failure("invalid_cursor", error.message);
    throw error;
  }
}

/** API Gateway decodes path segments only in part, and adds what its own route matched. */
function decoded(parameters: Record<string, string | undefined> | undefined, route: Route) {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  return Object.fromEntries(
    names.map((name) => {
      try {
        return [name, decodeURIComponent(parameters?.[name] ?? "")];
      } catch {
        return [name, parameters?.[name]];
      }
    }),
  );
}

function json(event: HttpEvent): unknown {
  const text = event.isBase64Encoded
    ? Buffer.from(event.body ?? "", "base64").toString()
    : (event.body ?? "");
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure("invalid_request", "The body is not JSON.", [{ path: "body", message: "not JSON" }]);
  }
}

function parse(schema: z.ZodType | undefined, value: unknown, place: string): unknown {
  if (schema === undefined) return {};
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const details = parsed.error.issues.map(({ path, message }) => ({
    path: [place, ...path].join("."),
    message,
  }));
  throw new Failure(
    "invalid_request",
    details.map(({ path, message }) => `${path}: ${message}`).join("; "),
    details,
  );
}

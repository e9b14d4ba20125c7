/** Lambda `llm-audit-api`: the console's API behind API Gateway's JWT authorizer. Events and answers are audit data and are never logged. */
import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import { API_FUNCTION } from "@central-llm/core/platform";
import middy from "@middy/core";
import httpRouter from "@middy/http-router";
import httpSecurityHeaders from "@middy/http-security-headers";
import type { Context } from "aws-lambda";
import { z } from "zod";
import { apiContext } from "./api-context.ts";
import type { Handler } from "./call.ts";
import { ROUTES, type RouteName } from "./contract.ts";
import type { Route } from "./contract-route.ts";
import { dispatch, type HttpEvent } from "./dispatch.ts";
import { Failure } from "./failure.ts";
import { HANDLERS } from "./handlers.ts";

const serviceName = API_FUNCTION;
const logger = new Logger({ serviceName });
const metrics = new Metrics({ namespace: "CentralLLM", serviceName });
const context = apiContext(process.env);

const routes = (Object.entries(ROUTES) as [RouteName, Route][]).map(([name, route]) => ({
  method: route.method,
  path: route.path,
  handler: (event: HttpEvent, lambda: Context) => {
    logger.appendKeys({ route: name });
    metrics.addMetric("ApiCalls", MetricUnit.Count, 1);
    return dispatch(route, HANDLERS[name] as unknown as Handler<Route>, context, event, lambda);
  },
}));

const paths = routes.map(
  ({ path }) => new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+").replaceAll(".", "\\.")}/?$`),
);

function notFound({ path }: { path: string }): never {
  if (paths.some((known) => known.test(path))) {
    throw new Failure("method_not_allowed", "This path has other methods.");
  }
  throw new Failure("not_found", "There is no such path.");
}

/** What the log may say of an error: of a schema's, paths and codes, since its messages may quote values. */
function logged(error: unknown): Record<string, unknown> {
  if (error instanceof z.ZodError) {
    return { error: "ZodError", issues: error.issues.map(({ path, code }) => `${path.join(".")}: ${code}`) };
  }
  if (!(error instanceof Error)) return { error: typeof error };
  const cause = error.cause instanceof Error ? { cause: error.cause.name } : {};
  return {
    error: error.name,
    at: error.stack
      ?.split("\n")
      .slice(1, 6)
      .map((line) => line.trim()),
    ...cause,
  };
}

function errorAnswer(error: unknown) {
  const failure =
    error instanceof Failure
      ? error
      : new Failure("internal", "The console's API failed. Try again, or tell its operators.");
  if (failure.status >= 500) logger.error("failed", { code: failure.code, ...logged(error) });
  // An alarm looks at these; that there is no gateway is no fault of ours.
  const fault = failure.code === "internal" || failure.code === "audit_unavailable";
  metrics.addMetric(fault ? "ApiFailures" : "ApiRefusals", MetricUnit.Count, 1);
  return {
    statusCode: failure.status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: JSON.stringify(failure.answer),
  };
}

export const handler = middy<HttpEvent>()
  .use(injectLambdaContext(logger, { resetKeys: true }))
  .use(logMetrics(metrics))
  .use(
    httpSecurityHeaders({
      permissionsPolicy: false,
      contentSecurityPolicy: { "default-src": "'none'", "frame-ancestors": "'none'" },
      frameOptions: { action: "deny" },
      strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
    }),
  )
  .onError((request) => {
    request.response = errorAnswer(request.error);
  })
  .handler(httpRouter({ routes, notFoundResponse: notFound }));

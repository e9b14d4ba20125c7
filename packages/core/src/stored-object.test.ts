import { S3ServiceException } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { fromAws } from "./stored-object.ts";

const refused = (name: string, httpStatusCode: number) =>
  new S3ServiceException({ name, $fault: "client", $metadata: { httpStatusCode }, message: "no" });

test.each([
  ["AccessDenied", 403, "access_denied"],
  ["AccountProblem", 403, "access_denied"],
  ["RequestTimeTooSkewed", 403, "unknown"],
  ["ExpiredToken", 403, "unknown"],
  ["NoSuchKey", 404, "missing_object"],
  ["SlowDown", 503, "throttled"],
])("S3's %s (%i) is called %s", (name, status, reason) => {
  const problem = fromAws(refused(name, status));
  expect(problem.reason).toBe(reason);
  expect(problem.message).toBe(`${name} (${status})`);
  expect(problem.permanent).toBe(false);
});

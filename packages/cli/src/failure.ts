/** How the command ends, and what it says when that is not well. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notFound: 3, incomplete: 4 } as const;

/** Ends the command with a message that says what to do, without a stack. */
export class Failure extends Error {
  readonly exitCode: number;
  constructor(exitCode: (typeof EXIT)[keyof typeof EXIT], message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Errors of AWS clients in an operator's words; null when there is nothing to add. */
export function advice(error: unknown, target: string): string | null {
  const {
    name = "",
    message = "",
    code = "",
  } = (error ?? {}) as { name?: string; message?: string; code?: string };
  if (code === "ECONNREFUSED" || /ECONNREFUSED/.test(message)) {
    return `Nothing answers at ${target}. Locally: is \`npm start\` running? Else check AWS_ENDPOINT_URL.`;
  }
  if (/Region is missing/.test(message))
    return "Set AWS_REGION, or start the local platform with `npm start`.";
  if (
    /Credentials|ExpiredToken|InvalidSignature|UnrecognizedClient/.test(name) ||
    /credentials/i.test(message)
  ) {
    return `AWS does not accept the credentials (${name}): log in (\`aws sso login\`) or set AWS_PROFILE.`;
  }
  if (/AccessDenied|Forbidden|403/.test(name))
    return `AWS denies this to your role at ${target} (${name}): ${message}`;
  if (name === "ResourceNotFoundException" || name === "QueueDoesNotExist" || name === "NoSuchBucket") {
    return `There is no such table, queue or bucket at ${target}: check TABLE_NAME, AUDIT_BUCKET and AWS_REGION.`;
  }
  return null;
}

/** A role that one AWS service assumes, with nothing but the statements given. docs/least-privilege.md lists them all. */

export interface Right {
  actions: string[];
  resources: $util.Input<string>[];
  conditions?: { test: string; variable: string; values: $util.Input<string>[] }[];
}

export function serviceRole(
  logicalName: string,
  service: string,
  statements: Right[],
  args: { name?: string; managedPolicyArns?: string[] } = {},
  opts?: $util.ComponentResourceOptions,
) {
  return new aws.iam.Role(
    logicalName,
    {
      ...args,
      assumeRolePolicy: aws.iam.assumeRolePolicyForPrincipal({ Service: service }),
      ...(statements.length > 0 && {
        inlinePolicies: [{ name: "rights", policy: aws.iam.getPolicyDocumentOutput({ statements }).json }],
      }),
    },
    opts,
  );
}

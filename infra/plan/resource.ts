/** What a stage would create: the answer of `npm run infra:plan -- --json`, and what the infra tests read. */

/** Values of a resource's inputs as plain JSON. Secret values are replaced by {@link SECRET}. */
// biome-ignore lint/suspicious/noExplicitAny: the inputs of some hundred resource types, read by tests and printers
export type Inputs = Record<string, any>;

export const SECRET = "[secret]";

export interface Resource {
  /** Pulumi's type token, e.g. `aws:sqs/queue:Queue`. */
  type: string;
  /** The logical name in the program; the name in AWS is among the inputs. */
  name: string;
  urn: string;
  id?: string;
  /** False for a component, which is a group of resources and nothing in AWS. */
  custom: boolean;
  parent: string;
  inputs: Inputs;
  protect: boolean;
  retainOnDelete: boolean;
  ignoreChanges: string[];
  dependsOn: string[];
}

export interface Plan {
  stage: string;
  region: string;
  app: { name: string; protect: boolean; removal: string };
  outputs: Inputs;
  resources: Resource[];
  errors: { message: string; stack: string }[];
}

export interface Statement {
  Sid?: string;
  Effect: "Allow" | "Deny";
  Action: string[];
  NotAction?: string[];
  Resource: string[];
  Principal?: unknown;
  Condition?: Record<string, Record<string, unknown>>;
}

export function ofType(plan: Plan, type: string): Resource[] {
  return plan.resources.filter((resource) => resource.custom && resource.type === type);
}

/** The one resource of a type (and logical name). @throws when there is none or more than one, naming what there is */
export function only(plan: Plan, type: string, name?: string): Resource {
  const all = ofType(plan, type);
  const [found, ...more] = name === undefined ? all : all.filter((resource) => resource.name === name);
  if (!found || more.length > 0) {
    const names = all.map((resource) => resource.name).join(", ");
    throw new Error(`expected one ${type}${name ? ` called ${name}` : ""}, there are: ${names || "none"}`);
  }
  return found;
}

const list = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat());

/** The statements of a policy document, with one-element values as lists. Pulumi also takes documents as objects. */
export function statementsOf(document: string | { Statement: Statement[] }): Statement[] {
  const { Statement } =
    typeof document === "string" ? (JSON.parse(document) as { Statement: Statement[] }) : document;
  return Statement.map((statement) => ({
    ...statement,
    Action: list(statement.Action),
    Resource: list(statement.Resource),
  }));
}

/** What a role may do: its inline policies, the policies attached by separate resources, and names of managed ones. */
export function rightsOf(plan: Plan, role: Resource): { statements: Statement[]; managed: string[] } {
  const roleName = role.inputs.name ?? role.name;
  const inline = (role.inputs.inlinePolicies ?? []) as { policy: string }[];
  const separate = ofType(plan, "aws:iam/rolePolicy:RolePolicy").filter((policy) =>
    [role.id, roleName].includes(policy.inputs.role),
  );
  const attached = ofType(plan, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").filter((attachment) =>
    [role.id, roleName].includes(attachment.inputs.role),
  );
  return {
    statements: [
      ...inline.flatMap((policy) => statementsOf(policy.policy)),
      ...separate.flatMap((policy) => statementsOf(policy.inputs.policy)),
    ],
    managed: [
      ...((role.inputs.managedPolicyArns ?? []) as string[]),
      ...attached.map((attachment) => attachment.inputs.policyArn as string),
    ],
  };
}

/** The containers of a task definition, whose text is JSON in the plan. */
export function containersOf(task: Resource): Inputs[] {
  return JSON.parse(task.inputs.containerDefinitions) as Inputs[];
}

/** A container's secrets, each with a made-up value: what a program started with them would see. */
export function secretsOf(container: Inputs): Record<string, string> {
  const secrets = (container.secrets ?? []) as { name: string }[];
  return Object.fromEntries(secrets.map(({ name }) => [name, `made-up-${name}`]));
}

/** A container's environment as an object. */
export function environmentOf(container: Inputs): Record<string, string> {
  const pairs = (container.environment ?? []) as { name: string; value: string }[];
  return Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
}

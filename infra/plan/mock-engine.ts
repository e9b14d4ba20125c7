/**
 * Pulumi's engine and the AWS provider, played in this process: every resource that the program registers is written
 * down, and every question to AWS gets a fixed answer. Nothing leaves the process.
 */
import { ACCOUNT, stateOf } from "./mock-state.ts";
import { type Inputs, type Resource, SECRET } from "./resource.ts";

export interface Recording {
  resources: Resource[];
  errors: { message: string; stack: string }[];
}

/** Pulumi's signature of a secret value on the wire (pulumi/sdk/nodejs/runtime/rpc.ts, `specialSecretSig`). */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET_VALUE = "1b47061264138c4ac30d75fd1eb44270";

function replaceSecrets(value: unknown, by: (secret: unknown) => unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => replaceSecrets(item, by));
  if ((value as Inputs)[SIGNATURE] === SECRET_VALUE) return by((value as Inputs).value);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value; // assets, resources
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceSecrets(item, by)]));
}

const opened = (value: unknown): Inputs => replaceSecrets(value, (secret) => opened(secret)) as Inputs;
const redacted = (value: unknown): Inputs => replaceSecrets(value, () => SECRET) as Inputs;

/** The two hooks of `pulumi.runtime.setMocks`. */
export function mocks(region: string, recording: Recording) {
  return {
    newResource(args: { type: string; name: string; inputs: Inputs; id?: string; custom?: boolean }) {
      const inputs = opened(args.inputs);
      if (!args.custom) return { id: undefined, state: inputs };
      const state = { ...inputs, ...stateOf({ type: args.type, name: args.name, inputs }, region) };
      return { id: args.id || state.id || `${args.name}-id`, state };
    },
    call(args: { token: string; inputs: Inputs }) {
      const answer = answers(region)[args.token]?.(opened(args.inputs));
      if (answer) return answer;
      const error = new Error(`the plan has no answer to ${args.token}: add it to infra/plan/mock-engine.ts`);
      recording.errors.push({ message: error.message, stack: String(error.stack) }); // Pulumi drops the message
      throw error;
    },
  };
}

function answers(region: string): Record<string, (inputs: Inputs) => Inputs> {
  const zones = ["a", "b", "c"].map((zone) => region + zone);
  return {
    "aws:index/getRegion:getRegion": () => ({ region, name: region, id: region }),
    "aws:index/getCallerIdentity:getCallerIdentity": () => ({
      accountId: ACCOUNT,
      arn: `arn:aws:iam::${ACCOUNT}:user/plan`,
      id: ACCOUNT,
      userId: "plan",
    }),
    "aws:index/getPartition:getPartition": () => ({
      partition: "aws",
      dnsSuffix: "amazonaws.com",
      id: "aws",
    }),
    "aws:index/getAvailabilityZones:getAvailabilityZones": () => ({
      names: zones,
      zoneIds: zones,
      id: region,
    }),
    "aws:ssm/getParameter:getParameter": (i) => ({ ...i, value: "ami-from-ssm", id: i.name, type: "String" }),
    // Asked by name or by id: the id holds the name.
    "aws:route53/getZone:getZone": (i) => {
      const name = i.name ?? String(i.zoneId).slice(1);
      return { ...i, name, zoneId: `Z${name}`, id: `Z${name}` };
    },
    "aws:ec2/getManagedPrefixList:getManagedPrefixList": (i) => ({ ...i, id: `pl-${i.name}` }),
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": () => ({
      proxyEndpoint: "https://ecr.example.com",
      userName: "AWS",
      password: "mock",
    }),
    "aws:cloudfront/getOriginRequestPolicy:getOriginRequestPolicy": (i) => ({ ...i, id: `policy-${i.name}` }),
    "aws:cloudfront/getCachePolicy:getCachePolicy": (i) => ({ ...i, id: `policy-${i.name}` }),
    "aws:iam/getPolicyDocument:getPolicyDocument": (i) => {
      const json = policyDocument(i);
      return { ...i, json, minifiedJson: json, id: "document" };
    },
  };
}

function policyDocument(document: Inputs): string {
  const statements = (document.statements ?? []).map((s: Inputs) => {
    const principals = (s.principals ?? []) as { type: string; identifiers: string[] }[];
    const conditions = (s.conditions ?? []) as { test: string; variable: string; values: string[] }[];
    const Condition: Record<string, Inputs> = {};
    for (const { test, variable, values } of conditions) {
      Condition[test] = { ...Condition[test], [variable]: values };
    }
    const Principal = principals.some(({ type }) => type === "*")
      ? "*"
      : Object.fromEntries(principals.map(({ type, identifiers }) => [type, identifiers]));
    return {
      ...(s.sid && { Sid: s.sid }),
      Effect: s.effect ?? "Allow",
      ...(s.actions && { Action: s.actions }),
      ...(s.notActions && { NotAction: s.notActions }),
      ...(s.resources && { Resource: s.resources }),
      ...(principals.length > 0 && { Principal }),
      ...(conditions.length > 0 && { Condition }),
    };
  });
  return JSON.stringify({ Version: document.version ?? "2012-10-17", Statement: statements });
}

interface Request {
  getType(): string;
  getName(): string;
  getId?(): string;
  getCustom?(): boolean;
  getParent(): string;
  getObject?(): unknown;
  getProperties?(): unknown;
  getProtect?(): boolean;
  getRetainondelete?(): boolean;
  getIgnorechangesList?(): string[];
  getDependenciesList?(): string[];
}
type Callback = (error: unknown, response: { getUrn(): string; getId?(): string }) => void;
type Register = (this: unknown, request: Request, callback: Callback) => unknown;
export interface MonitorPrototype {
  newUrn(this: unknown, parent: string | undefined, type: string, name: string): string;
  registerResource: Register;
  readResource: Register;
}

/** Writes down each registration as sent: the mock interface alone shows neither parent, protection nor dependencies. */
export function record(
  monitor: MonitorPrototype,
  deserialize: (properties: unknown) => Inputs,
  recording: Recording,
): void {
  // The real engine leaves the root stack out of a child's URN; SST reads types from URNs.
  const { newUrn } = monitor;
  monitor.newUrn = function (parent, type, name) {
    return newUrn.call(this, parent?.includes("::pulumi:pulumi:Stack::") ? undefined : parent, type, name);
  };
  for (const method of ["registerResource", "readResource"] as const) {
    const original = monitor[method];
    monitor[method] = function (request, callback) {
      return original.call(this, request, (error, response) => {
        if (!error) recording.resources.push(written(request, response, deserialize));
        callback(error, response);
      });
    };
  }
}

function written(
  request: Request,
  response: Parameters<Callback>[1],
  deserialize: (properties: unknown) => Inputs,
): Resource {
  const id = response.getId?.() || request.getId?.();
  return {
    type: request.getType(),
    name: request.getName(),
    urn: response.getUrn(),
    ...(id ? { id } : {}),
    custom: request.getCustom?.() ?? true,
    parent: request.getParent(),
    inputs: redacted(deserialize(request.getObject?.() ?? request.getProperties?.())),
    protect: request.getProtect?.() ?? false,
    retainOnDelete: request.getRetainondelete?.() ?? false,
    ignoreChanges: request.getIgnorechangesList?.() ?? [],
    dependsOn: request.getDependenciesList?.() ?? [],
  };
}

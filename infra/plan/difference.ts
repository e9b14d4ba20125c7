/** What a change of the sources would change in AWS. */
import { isBookkeeping } from "./component.ts";
import type { Plan, Resource } from "./resource.ts";

export interface Change {
  kind: "added" | "removed" | "changed";
  /** `type name`. */
  resource: string;
  /** For "changed": where in the inputs, and what. */
  values: { path: string; from: unknown; to: unknown }[];
}

const label = ({ type, name }: Resource) => `${type} ${name}`;

/** Inputs that differ at every evaluation and change nothing by themselves. */
const RESTLESS = /^(triggers|__)/;

/** Values by path. Policies, container definitions and dashboards are JSON texts; a reader wants what is inside. */
function flatten(value: unknown, path: string, into: Map<string, unknown>): void {
  const inner = typeof value === "string" && /^[[{]/.test(value) ? parsed(value) : value;
  if (inner === null || typeof inner !== "object") {
    into.set(path, inner);
    return;
  }
  for (const [key, item] of Object.entries(inner)) {
    if (path === "" && RESTLESS.test(key)) continue;
    flatten(item, path ? `${path}.${key}` : key, into);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a text that only begins like JSON
  }
}

function valuesChanged(before: Resource, after: Resource): Change["values"] {
  const [from, to] = [before, after].map(({ inputs, protect, retainOnDelete }) => {
    const values = new Map<string, unknown>([
      ["(protect)", protect],
      ["(retain)", retainOnDelete],
    ]);
    flatten(inputs, "", values);
    return values;
  }) as [Map<string, unknown>, Map<string, unknown>];
  return [...new Set([...from.keys(), ...to.keys()])]
    .filter((path) => JSON.stringify(from.get(path)) !== JSON.stringify(to.get(path)))
    .sort()
    .map((path) => ({ path, from: from.get(path), to: to.get(path) }));
}

export function difference(before: Plan, after: Plan): Change[] {
  const real = (plan: Plan) =>
    new Map(plan.resources.filter((resource) => !isBookkeeping(resource)).map((r) => [label(r), r]));
  const [old, now] = [real(before), real(after)];
  const changes: Change[] = [];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [was, is] = [old.get(name), now.get(name)];
    if (!was) changes.push({ kind: "added", resource: name, values: [] });
    else if (!is) changes.push({ kind: "removed", resource: name, values: [] });
    else {
      const values = valuesChanged(was, is);
      if (values.length > 0) changes.push({ kind: "changed", resource: name, values });
    }
  }
  return changes;
}

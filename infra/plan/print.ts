/** A plan, a difference and an estimate as text. */
import { componentOf, isBookkeeping, nameOf, sizeOf } from "./component.ts";
import type { Change } from "./difference.ts";
import { type CostLine, type Estimate, USE } from "./estimate.ts";
import type { Plan, Resource } from "./resource.ts";

const dollars = (amount: number) => amount.toFixed(2).padStart(9);

function byComponent<T>(items: T[], component: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const name = component(item);
    groups.set(name, [...(groups.get(name) ?? []), item]);
  }
  return new Map([...groups].sort(([a], [b]) => a.localeCompare(b)));
}

export function planText(plan: Plan, cost: Estimate): string {
  const resources = plan.resources.filter((resource) => !isBookkeeping(resource));
  const lines = [`stage ${plan.stage} in ${plan.region}: ${resources.length} resources`];
  for (const [component, members] of byComponent(resources, componentOf)) {
    const monthly = [...cost.fixed, ...cost.use]
      .filter((line) => line.component === component)
      .reduce((total, line) => total + line.monthly, 0);
    lines.push("", `${component}: ${members.length} resources, about ${monthly.toFixed(2)} USD a month`);
    for (const [type, same] of byComponent(members, ({ type }) => type)) {
      lines.push(`  ${type} (${same.length})`, ...same.map(memberLine));
    }
  }
  lines.push(
    "",
    `about ${cost.fixedTotal.toFixed(2)} USD a month around the clock, ${cost.useTotal.toFixed(2)} for ${USE.requests.toLocaleString("en")} requests, ${cost.total.toFixed(2)} together (list prices; model tokens not included)`,
  );
  return lines.join("\n");
}

function memberLine(resource: Resource): string {
  const marks = [sizeOf(resource), resource.protect && "protected", resource.retainOnDelete && "retained"];
  const notes = marks.filter(Boolean).join(", ");
  return `    ${nameOf(resource)}${notes ? `  [${notes}]` : ""}`;
}

/** The cost sheet of a stage as Markdown; docs/cost.md is made of these. */
export function costTable(plan: Plan, { fixed, use, fixedTotal, useTotal, total }: Estimate): string {
  const row = (line: CostLine) =>
    `| ${line.component} | ${line.item} | ${Number(line.quantity.toFixed(2)).toLocaleString("en")} ${line.unit} | ${line.unitPrice} | ${line.monthly.toFixed(2)} |`;
  const all = (label: string, amount: number) => `| **${label}** | | | | **${amount.toFixed(2)}** |`;
  return [
    `### ${plan.stage} (${plan.region})`,
    "",
    "| part | item | quantity a month | USD each | USD a month |",
    "| --- | --- | ---: | ---: | ---: |",
    ...fixed.map(row),
    all("around the clock", fixedTotal),
    ...use.map(row),
    all("for the assumed use", useTotal),
    all("together", total),
  ].join("\n");
}

export function differenceText(changes: Change[], before: Estimate, after: Estimate): string {
  const lines = changes.flatMap(({ kind, resource, values }) => [
    `${{ added: "+", removed: "-", changed: "~" }[kind]} ${resource}`,
    ...values.map(({ path, from, to }) => `    ${path}: ${JSON.stringify(from)} → ${JSON.stringify(to)}`),
  ]);
  const count = (kind: Change["kind"]) => changes.filter((change) => change.kind === kind).length;
  return [
    ...lines,
    "",
    `${count("added")} added, ${count("removed")} removed, ${count("changed")} changed;${dollars(before.total)} →${dollars(after.total)} USD a month`,
  ].join("\n");
}

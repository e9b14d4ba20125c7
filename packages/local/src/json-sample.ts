/** A value that a JSON schema allows: the plainest one, always the same. */
type Schema = Record<string, unknown>;

export function sampleOf(schema: unknown, root: unknown = schema, depth = 0): unknown {
  if (typeof schema !== "object" || schema === null || depth > 20) return null;
  const node = schema as Schema;
  if (typeof node.$ref === "string") return sampleOf(resolve(node.$ref, root), root, depth + 1);
  if (node.const !== undefined) return node.const;
  if (Array.isArray(node.enum)) return node.enum[0];
  const [variant] = (node.anyOf ?? node.oneOf ?? node.allOf ?? []) as unknown[];
  if (variant !== undefined) return sampleOf(variant, root, depth + 1);
  switch (Array.isArray(node.type) ? node.type[0] : node.type) {
    case "string":
      return "text";
    case "integer":
    case "number":
      return typeof node.minimum === "number" ? node.minimum : 1;
    case "boolean":
      return true;
    case "array":
      return [sampleOf(node.items, root, depth + 1)];
    case "null":
      return null;
    default:
      return Object.fromEntries(
        Object.entries((node.properties ?? {}) as Schema).map(([name, property]) => [
          name,
          sampleOf(property, root, depth + 1),
        ]),
      );
  }
}

function resolve(reference: string, root: unknown): unknown {
  return reference
    .split("/")
    .slice(1)
    .reduce<unknown>((node, part) => (node as Schema | undefined)?.[part], root);
}

/** The documents name only what is there: paths, npm scripts and commands of the CLI. */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const ROOT = new URL("..", import.meta.url).pathname;
const documents = ["README.md", "AGENTS.md", ...globSync("docs/**/*.md", { cwd: ROOT })].sort();
const read = (path: string) => readFileSync(`${ROOT}/${path}`, "utf8");
const scripts = Object.keys(
  (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts,
);

const TOP_LEVEL = /^(packages|docs|scripts|infra|bench|conformance|\.ci)\//;

/** Whatever stands between back-ticks and looks like a path of the repository. */
function pathsIn(text: string): string[] {
  return [...text.matchAll(/`([^`\s]+)`/g)]
    .map((match) => (match[1] ?? "").replace(/[.,:]$/, "").replace(/:\d+$/, ""))
    .filter((path) => TOP_LEVEL.test(path) && !/[<>*{}…$]/.test(path));
}

test.each(documents)("%s names only paths that exist", (document) => {
  const missing = pathsIn(read(document)).filter((path) => !existsSync(`${ROOT}/${path}`));
  expect(missing).toEqual([]);
});

test.each(documents)("%s links only to files that exist", (document) => {
  const folder = document.includes("/") ? document.slice(0, document.lastIndexOf("/") + 1) : "";
  const links = [...read(document).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(
    (match) => match[1] ?? "",
  );
  expect(links.filter((link) => !existsSync(`${ROOT}/${folder}${link}`))).toEqual([]);
});

test.each(documents)("%s names only npm scripts that exist", (document) => {
  const named = [...read(document).matchAll(/\bnpm (?:run )?([a-z][a-z:-]*)/g)].map(
    (match) => match[1] ?? "",
  );
  const npmItself = new Set(["ci", "install", "run", "registry", "workspaces", "packages"]);
  expect(named.filter((name) => !npmItself.has(name) && !scripts.includes(name))).toEqual([]);
});

test("every command of central-llm that the documents name exists", () => {
  const help = execFileSync(process.execPath, [`${ROOT}/packages/cli/src/main.ts`, "--help"], {
    encoding: "utf8",
  });
  const commands = new Set([...help.matchAll(/^ {2}([a-z]+)\b/gm)].map((match) => match[1]));
  const named = documents.flatMap((document) =>
    [...read(document).matchAll(/\bcentral-llm (?:-- )?([a-z]+)\b/g)].map((match) => match[1] ?? ""),
  );
  const code = [...new Set(named)].filter((name) =>
    /^(query|get|tail|dlq|replay|status|reconcile|verify|keys|gpu|logs|smoke|export)$/.test(name),
  );
  expect(code.filter((name) => !commands.has(name))).toEqual([]);
  expect(code.length).toBeGreaterThan(0);
});

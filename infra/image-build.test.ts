import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { PROXY_NODE_OPTIONS } from "@central-llm/core/platform";
import { startPostgres } from "@central-llm/local/postgres";

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { containersOf, environmentOf, ofType, only } from "./plan/resource.ts";

const prod = await planOf("prod");
const root = resolve(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
/** A Dockerfile's instructions, without comments, continued lines joined. */
const instructions = (path: string) =>
  read(path)
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => /^[A-Z]/.test(line));

const repositories = ofType(prod, "aws:ecr/repository:Repository");
const projects = ofType(prod, "aws:codebuild/project:Project");

describe("the image repositories and builds", () => {
  test("scan what is pushed and keep what can be rolled back to", () => {
    expect(repositories.map(({ inputs }) => inputs.name).sort()).toEqual([
      "central-llm-proxy",
      "mistral8b-vllm",
    ]);
    for (const { inputs } of repositories)
      expect(inputs.imageScanningConfiguration).toEqual({ scanOnPush: true });
    for (const { inputs } of ofType(prod, "aws:ecr/lifecyclePolicy:LifecyclePolicy")) {
      expect(JSON.parse(inputs.policy).rules[0].selection).toMatchObject({
        countType: "imageCountMoreThan",
        countNumber: 10,
      });
    }
  });

  test("find their build specifications, and give these every variable that they use", () => {
    expect(projects.map(({ inputs }) => inputs.name).sort()).toEqual([
      "central-llm-proxy-build",
      "mistral8b-vllm-build",
    ]);
    for (const { inputs } of projects) {
      expect(inputs.environment.privilegedMode).toBe(true);
      const given = inputs.environment.environmentVariables.map(({ name }: { name: string }) => name);
      const used = [...read(inputs.source.buildspec).matchAll(/\$([A-Z][A-Z0-9_]+)/g)].map(
        ([, name = ""]) => name,
      );
      const own = ["TAG", "CODEBUILD_RESOLVED_SOURCE_VERSION", "CODEBUILD_BUILD_SUCCEEDING"];
      expect([...new Set(used)].filter((name) => !given.includes(name) && !own.includes(name))).toEqual([]);
    }
  });

  test("feed the tasks: each image of a task is one of ours, or pinned by digest", () => {
    const ours = repositories.map(
      ({ inputs }) => `123456789012.dkr.ecr.eu-central-1.amazonaws.com/${inputs.name}:latest`,
    );
    for (const task of ofType(prod, "aws:ecs/taskDefinition:TaskDefinition")) {
      for (const { image, name } of containersOf(task)) {
        if (!ours.includes(image)) expect(image, name).toMatch(/@sha256:[0-9a-f]{64}$/);
      }
    }
  });
});

describe.each(["docker/proxy/Dockerfile", "docker/vllm/Dockerfile"])("%s", (path) => {
  test("is built on images by digest only, and copies what is there", () => {
    const lines = instructions(path);
    const bases = lines.filter((line) => line.startsWith("FROM "));
    for (const base of bases) expect(base).toMatch(/^FROM \$\{(NODE|VLLM)_IMAGE\}( AS build)?$/);
    expect(lines.find((line) => line.startsWith("ARG "))).toMatch(/^ARG (NODE|VLLM)_IMAGE$/);
    expect(lines.filter((line) => line.startsWith("ADD "))).toEqual([]);
    for (const line of lines.filter((one) => one.startsWith("COPY ") && !/--from|--chown/.test(one))) {
      for (const source of line.split(/\s+/).slice(1, -1))
        expect(existsSync(join(root, source)), source).toBe(true);
    }
    expect(lines.some((line) => line.startsWith("HEALTHCHECK "))).toBe(true);
  });
});

test("the proxy's image runs as a user without rights, and writes to its spool only", () => {
  const lines = instructions("docker/proxy/Dockerfile");
  const last = lines.lastIndexOf("USER node");
  expect(last).toBeGreaterThan(lines.findLastIndex((line) => line.startsWith("RUN ")));
  const [proxy] = containersOf(
    only(prod, "aws:ecs/taskDefinition:TaskDefinition", "CentralModelTask"),
  ).filter(({ name }) => name === "audit-proxy");
  const { SPOOL_DIR } = environmentOf(proxy ?? {});
  expect(lines).toContain(`VOLUME ["${SPOOL_DIR}"]`);
  expect(lines.join("\n")).toContain(`chown node:node ${SPOOL_DIR}`);
  expect(lines).toContain(`ENV NODE_ENV=production NODE_OPTIONS=${PROXY_NODE_OPTIONS}`);
});

describe("the proxy's bundle, made and started as the image does", () => {
  const folder = mkdtempSync(join(tmpdir(), "central-llm-image-"));
  const application = join(folder, "application");
  let proxy: ChildProcess;
  let port: number;

  const environment = {
    HOST: "127.0.0.1",
    PORT: "0",
    AUDIT_BUCKET: "central-llm-audit",
    AWS_REGION: "eu-central-1",
    AWS_ENDPOINT_URL: "http://127.0.0.1:9",
    AWS_ACCESS_KEY_ID: "x",
    AWS_SECRET_ACCESS_KEY: "x",
    DRAIN_TIMEOUT_MS: "100",
  };
  async function listeningPort(program: ChildProcess): Promise<number> {
    for await (const line of createInterface({ input: program.stdout as NodeJS.ReadableStream })) {
      const entry = JSON.parse(line) as { msg: string; port: number };
      if (entry.msg === "listening") return entry.port;
    }
    throw new Error("it ended before it listened");
  }

  beforeAll(async () => {
    execFileSync(process.execPath, [join(root, "docker/proxy/bundle.ts"), application], { cwd: root });
    // Nothing of the repository is in reach from here: what runs is in the bundle.
    proxy = spawn(process.execPath, ["--enable-source-maps", "main.js"], {
      cwd: application,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...environment, SPOOL_DIR: join(folder, "spool") },
    });
    port = await listeningPort(proxy);
  });
  afterAll(() => {
    proxy?.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  const check = (of: number) => {
    const child = spawn(process.execPath, ["health-check.js"], {
      cwd: application,
      env: { PORT: String(of) },
      stdio: "ignore",
    });
    return once(child, "exit").then(([code]) => code as number);
  };

  test("is a handful of files", () => {
    const files = readdirSync(application).filter((name) => !name.endsWith(".map"));
    expect(files.sort()).toEqual(["health-check.js", "main.js", "migrations", "package.json", "uploader.js"]);
    expect(globSync("**/node_modules", { cwd: folder })).toEqual([]);
  });

  test("is healthy, says so, and stops on SIGTERM", async () => {
    expect(await check(port)).toBe(0);
    const ended = once(proxy, "exit");
    proxy.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(await check(port)).toBe(1);
  });

  test("is the gateway too, which brings its database's tables along", async () => {
    const database = await startPostgres({ dataDir: join(folder, "postgres"), durable: false });
    const gateway = spawn(process.execPath, ["main.js"], {
      cwd: application,
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...environment,
        PROFILE: "gateway",
        DATABASE_URL: database.url,
        LITELLM_MASTER_KEY: "sk-master-0123456789",
        SPOOL_DIR: join(folder, "gateway-spool"),
      },
    });
    try {
      expect(await check(await listeningPort(gateway))).toBe(0);
      const ended = once(gateway, "exit");
      gateway.kill("SIGTERM");
      expect(await ended).toEqual([0, null]);
    } finally {
      gateway.kill("SIGKILL");
      await database.stop();
    }
  });
});

/** What is measured: the upstream itself, nginx, Portkey's gateway, and our proxy. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PROXY_NODE_OPTIONS } from "@central-llm/core/platform";
import { CACHE, nativeProgram } from "./native-program.ts";
import { answersOn, CORE, freePort, nextLine, type PinnedProcess, pinned } from "./pinned-process.ts";
import { threadsOf, UPLOADER_THREAD } from "./thread-cpu.ts";

export interface Contestant {
  port: number;
  /** null for the upstream itself. */
  pid: number | null;
  /** Header lines that it needs beside everybody's. */
  headers: string[];
  process: PinnedProcess;
}

export async function stub(chunks: number, intervalMicroseconds: number): Promise<Contestant> {
  const process = pinned("stub", CORE.rest, [
    nativeProgram("stub"),
    String(chunks),
    String(intervalMicroseconds),
  ]);
  return { port: Number(await nextLine(process, "The stub")), pid: null, headers: [], process };
}

export async function nginx(upstream: number): Promise<Contestant> {
  installNginx();
  const port = await freePort();
  const folder = `${CACHE}nginx/`;
  mkdirSync(folder, { recursive: true });
  // One process, so that its id is the worker's. Buffering off: a stream's chunks must leave as they come.
  writeFileSync(
    `${folder}nginx.conf`,
    `daemon off; master_process off; pid ${folder}nginx.pid; error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; client_max_body_size 16m; client_body_buffer_size 64k;
  client_body_temp_path ${folder}body; proxy_temp_path ${folder}proxy; fastcgi_temp_path ${folder}fastcgi;
  uwsgi_temp_path ${folder}uwsgi; scgi_temp_path ${folder}scgi;
  upstream model { server 127.0.0.1:${upstream}; keepalive 1024; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}
`,
  );
  const process = pinned("nginx", CORE.underTest, ["nginx", "-p", folder, "-c", `${folder}nginx.conf`]);
  await answersOn(port, "nginx");
  return { port, pid: process.pid, headers: [], process };
}

function installNginx(): void {
  if (spawnSync("nginx", ["-v"]).status === 0) return;
  console.error("[bench] nginx is not there: installing Debian's (apt-get install nginx) ...");
  const apt = (...command: string[]) =>
    spawnSync("apt-get", command, { stdio: ["ignore", "ignore", "inherit"] }).status;
  const install = () => apt("install", "-y", "--no-install-recommends", "nginx-light");
  if (install() !== 0 && (apt("update") !== 0 || install() !== 0)) {
    throw new Error(
      "The bench needs nginx: run `apt-get update && apt-get install nginx-light` as root, then again",
    );
  }
}

export async function portkey(upstream: number): Promise<Contestant> {
  const folder = `${CACHE}portkey/`;
  const program = `${folder}node_modules/@portkey-ai/gateway/build/start-server.js`;
  if (!existsSync(program)) {
    console.error("[bench] installing @portkey-ai/gateway into .cache/bench/portkey ...");
    mkdirSync(folder, { recursive: true });
    // With the newest node-server that its range allows, it answers every stream with 500; this one streams.
    const overrides = { "@hono/node-server": "1.13.0" };
    const dependencies = { "@portkey-ai/gateway": "1.15.2" };
    writeFileSync(`${folder}package.json`, JSON.stringify({ private: true, dependencies, overrides }));
    execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  const port = await freePort();
  const node = [process.execPath, program, `--port=${port}`, "--headless"];
  const child = pinned("portkey", CORE.underTest, node, { NODE_ENV: "production" });
  await answersOn(port, "Portkey's gateway");
  const host = `x-portkey-custom-host: http://127.0.0.1:${upstream}/v1`;
  return { port, pid: child.pid, headers: ["x-portkey-provider: openai", host], process: child };
}

/** Our proxy, profile central, with everything on that production has on. @param options flags for node; another tree's main.ts */
export async function central(
  upstream: number,
  s3: number,
  options: { flags?: readonly string[]; entry?: string | undefined } = {},
): Promise<Contestant> {
  const entry = options.entry ?? fileURLToPath(new URL("../packages/proxy/src/main.ts", import.meta.url));
  const spool = mkdtempSync(`${CACHE}spool-`);
  const child = pinned("central", CORE.underTest, [process.execPath, ...(options.flags ?? []), entry], {
    NODE_OPTIONS: PROXY_NODE_OPTIONS,
    PROFILE: "central",
    HOST: "127.0.0.1",
    PORT: "0",
    UPSTREAM_URL: `http://127.0.0.1:${upstream}`,
    AUDIT_BUCKET: "bench-audit",
    AUDIT_MODE: "spool",
    AWS_REGION: "eu-west-1",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${s3}`,
    AWS_ACCESS_KEY_ID: "bench",
    AWS_SECRET_ACCESS_KEY: "bench",
    SPOOL_DIR: spool,
    WRITER_NAME: "bench",
  });
  for (;;) {
    const { msg, port } = JSON.parse(await nextLine(child, "The proxy")) as { msg: string; port: number };
    if (msg === "listening") return { port, pid: child.pid, headers: [], process: child };
  }
}

/**
 * "held": the uploader's thread runs only while nothing else wants the core (SCHED_IDLE), as if it had a core of its own;
 * under load, what is measured is the data path. "free": it competes with the data path for the one core.
 */
export function schedule(proxy: Contestant, uploads: "held" | "free"): void {
  const uploader = threadsOf(proxy.pid ?? 0).find(({ name }) => name === UPLOADER_THREAD);
  if (!uploader) throw new Error(`The proxy has no thread with the name ${UPLOADER_THREAD}`);
  const policy = uploads === "held" ? "--idle" : "--other";
  execFileSync("chrt", [policy, "--pid", "0", String(uploader.id)], { stdio: "ignore" });
}

export async function objectsStored(s3: Contestant): Promise<number> {
  return Number(await fetch(`http://127.0.0.1:${s3.port}/puts`).then((response) => response.text()));
}

/** Resolves when S3 has taken nothing new for a while: the spool is empty. */
export async function uploaded(s3: Contestant): Promise<void> {
  for (let last = -1, quiet = 0; quiet < 4; ) {
    const stored = await objectsStored(s3);
    quiet = stored === last ? quiet + 1 : 0;
    last = stored;
    await new Promise((resume) => setTimeout(resume, 100));
  }
}

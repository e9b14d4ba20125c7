/**
 * `npm run image:rehearse`: builds and runs the proxy's image without Docker, as far as that goes. Reads docker/proxy/Dockerfile, does each
 * of its instructions in an overlay of this machine's root (as root, Linux), starts the entry point as the image's user on a
 * read-only root, asks its health check, and stops it. What it cannot show: the base image itself, layers, the registry.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

const repository = resolve(import.meta.dirname, "..");
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

interface Instruction {
  name: string;
  rest: string;
}

function instructions(file: string): Instruction[] {
  return readFileSync(file, "utf8")
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => ({ name: line.split(" ", 1)[0] ?? "", rest: line.slice(line.indexOf(" ") + 1) }));
}

/** The build's context by its ignore file: `*`, `!path` and a name anywhere (two asterisks, slash, name). */
function context(folder: string): void {
  const lines = readFileSync(join(repository, "docker/proxy/Dockerfile.dockerignore"), "utf8")
    .trim()
    .split("\n");
  const out = lines.filter((line) => line.startsWith("**/")).map((line) => line.slice(3));
  const left = (path: string) =>
    out.some((name) =>
      name.startsWith("*") ? path.endsWith(name.slice(1)) : path.split("/").includes(name),
    );
  for (const kept of lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1)))
    cpSync(join(repository, kept), join(folder, kept), {
      recursive: true,
      filter: (source) => !left(relative(repository, source)),
    });
}

const USERS: Record<string, string> = { node: "1000" };

/** A shell script that does what the Dockerfile says, below `$W`. */
function script(from: string): string {
  const lines = ["set -eu", "mount -t tmpfs tmpfs $W"];
  let [stage, workdir, user, entry, health] = ["", "/", "0", [] as string[], [] as string[]];
  const environment: string[] = [];
  const inside = (command: string) => `chroot $W/${stage}/m /bin/sh -eu -c ${quoted(command)}`;
  for (const { name, rest } of instructions(join(repository, "docker/proxy/Dockerfile"))) {
    const [source = "", ...targets] = rest.split(/\s+/).filter((word) => !word.startsWith("--chown"));
    switch (name) {
      case "FROM":
        stage = / AS (\w+)$/.exec(rest)?.[1] ?? "final";
        workdir = "/";
        lines.push(
          `mkdir -p $W/${stage}/u/usr/local/bin $W/${stage}/w $W/${stage}/m`,
          `cp ${quoted(process.execPath)} $W/${stage}/u/usr/local/bin/node`,
          `mount -t overlay overlay -o lowerdir=/,upperdir=$W/${stage}/u,workdir=$W/${stage}/w $W/${stage}/m`,
          `mount --bind /dev $W/${stage}/m/dev && mount -t proc proc $W/${stage}/m/proc && mount -t tmpfs tmpfs $W/${stage}/m/tmp`,
        );
        break;
      case "WORKDIR":
        workdir = rest;
        lines.push(`mkdir -p $W/${stage}/m${workdir}`);
        break;
      case "COPY": {
        const other = /^--from=(\w+)$/.exec(source)?.[1];
        const sources = other === undefined ? [source, ...targets.slice(0, -1)] : targets.slice(0, -1);
        const root = other === undefined ? from : `$W/${other}/m`;
        const target = resolve(workdir, targets.at(-1) ?? ".");
        for (const one of sources)
          lines.push(
            `if [ -d ${root}/${one} ]; then mkdir -p $W/${stage}/m${target}; cp -R ${root}/${one}/. $W/${stage}/m${target}/; else cp ${root}/${one} $W/${stage}/m${target}; fi`,
          );
        break;
      }
      case "RUN":
        // The image has a user `node`; this machine need not.
        lines.push(
          `echo "RUN ${rest}"`,
          inside(`cd ${workdir} && ${rest.replaceAll("node:node", "1000:1000")}`),
        );
        break;
      case "ENV":
        environment.push(...rest.split(" "));
        break;
      case "USER":
        user = USERS[rest] ?? rest;
        break;
      case "ENTRYPOINT":
        entry = JSON.parse(rest);
        break;
      case "HEALTHCHECK":
        health = JSON.parse(rest.slice(rest.indexOf("[")));
        break;
      case "ARG":
      case "VOLUME":
      case "EXPOSE":
      case "STOPSIGNAL":
        break;
      default:
        throw new Error(`The rehearsal does not know ${name}`);
    }
  }
  const settings = [
    ...environment,
    "PORT=18017 HOST=127.0.0.1 AUDIT_BUCKET=central-llm-audit AWS_REGION=eu-central-1 AWS_ENDPOINT_URL=http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x SPOOL_DIR=/var/spool/central-llm DRAIN_TIMEOUT_MS=100",
  ].join(" ");
  const as = (words: string[]) =>
    `setpriv --reuid ${user} --regid ${user} --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin ${settings} ${words.map(quoted).join(" ")}`;
  lines.push(
    `du -sh $W/final/m${workdir} | cut -f1`,
    // Writable is the volume alone.
    `mount -t tmpfs -o uid=${user} tmpfs $W/final/m/var/spool/central-llm && mount -o remount,ro $W/final/m`,
    `chroot $W/final/m /bin/sh -c ${quoted(`cd ${workdir} && exec ${as(entry)}`)} & pid=$!`,
    `for i in $(seq 100); do chroot $W/final/m /bin/sh -c ${quoted(`cd ${workdir} && ${as(health)}`)} && break; sleep 0.2; done`,
    `chroot $W/final/m /bin/sh -c ${quoted(`cd ${workdir} && ${as(health)}`)}; echo healthy as user ${user}`,
    "kill -TERM $pid; wait $pid; echo stopped on SIGTERM",
  );
  return lines.join("\n");
}

const work = mkdtempSync(join(tmpdir(), "central-llm-rehearsal-"));
try {
  const from = join(work, "context");
  mkdirSync(join(work, "root"), { recursive: true });
  mkdirSync(dirname(from), { recursive: true });
  context(from);
  const { status } = spawnSync("unshare", ["-m", "sh", "-c", script(from)], {
    stdio: "inherit",
    env: { ...process.env, W: join(work, "root") },
  });
  process.exitCode = status ?? 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** moto's server for S3 and SQS, from PyPI. */
import { type Engine, startEngine } from "./engine-process.ts";
import { CACHE, fetched, need, run } from "./fetched-engine.ts";

const VERSION = "5.2.5";
/** Without the extra `server`, which brings 180 MB for services that are not judged here; these two are all it needs. */
const PACKAGES = [`moto[s3]==${VERSION}`, "flask==3.1.3", "flask-cors==6.0.5"];

/** @throws {NotHere} when this machine cannot run it */
export async function startMoto(): Promise<Engine> {
  need("python3", "--version", "Debian: apt-get install python3 python3-venv");
  const folder = await fetched(`moto-${VERSION}`, async (partial) => {
    await run("python3", ["-m", "venv", "venv"], partial);
    await run("venv/bin/pip", ["install", "--quiet", "--disable-pip-version-check", ...PACKAGES], partial);
  });
  return startEngine(
    "moto",
    // By module: the scripts in a venv name the folder in which they were installed.
    (port) => [`${folder}/venv/bin/python`, "-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
    // The account in the ARNs of the embedded engines.
    { log: `${CACHE}moto.log`, environment: { MOTO_ACCOUNT_ID: "000000000000" } },
  );
}

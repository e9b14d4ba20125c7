/** The real LiteLLM from PyPI, pinned by digest, in front of our demo model. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startDemoModel } from "@central-llm/local/demo-model";
import { type Engine, startEngine } from "./engine-process.ts";
import { fetched, NotHere, need, run } from "./fetched-engine.ts";

export const VERSION = "1.100.5";
const FOLDER = fileURLToPath(new URL("../.local/litellm/", import.meta.url));
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** What LiteLLM 1.100 runs on. */
const PYTHONS = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"];
const NEW_ENOUGH = "import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))";

function python(): string {
  need("python3", "--version", "Debian: apt-get install python3 python3-venv");
  const found = PYTHONS.find((name) => spawnSync(name, ["-c", NEW_ENOUGH], { stdio: "ignore" }).status === 0);
  if (found === undefined) throw new NotHere("LiteLLM needs a Python from 3.10 to 3.13");
  return found;
}

async function install(partial: string): Promise<void> {
  const pip = (...args: string[]) =>
    run("venv/bin/pip", [...args, "--quiet", "--disable-pip-version-check"], partial);
  await run(python(), ["-m", "venv", "venv"], partial);
  await pip("download", "--no-deps", "--require-hashes", "-r", here("litellm.txt"), "-d", "wheel");
  const [wheel] = readdirSync(`${partial}/wheel`);
  const litellm = `litellm[proxy] @ file://${partial}/wheel/${wheel}`;
  // Prisma is no part of the extra, but LiteLLM's way from an error of a key to its answer imports it.
  await pip("install", "-c", here("litellm-constraints.txt"), litellm, "prisma");
}

/** YAML is JSON too. */
const config = (modelUrl: string) =>
  JSON.stringify({
    model_list: [
      {
        model_name: "demo",
        litellm_params: {
          model: "openai/demo",
          api_base: `${modelUrl}/v1`,
          api_key: "none",
          input_cost_per_token: 3e-6,
          output_cost_per_token: 15e-6,
        },
      },
    ],
    litellm_settings: {
      telemetry: false,
      num_retries: 0,
      // The demo model's responses API has no tools.
      use_chat_completions_url_for_anthropic_messages: true,
    },
    general_settings: { custom_auth: "litellm_keys.user_api_key_auth" },
  });

/** @throws {NotHere} when this machine cannot have it */
export async function startLitellm(): Promise<Engine> {
  mkdirSync(FOLDER, { recursive: true });
  const folder = await fetched(VERSION, install, FOLDER);
  const model = await startDemoModel(0);
  writeFileSync(`${FOLDER}config.json`, config(model.url));
  copyFileSync(here("litellm_keys.py"), `${FOLDER}litellm_keys.py`);
  const command = (port: number) => [
    `${folder}/venv/bin/python`,
    ...["-m", "litellm.proxy.proxy_cli", "--config", `${FOLDER}config.json`],
    ...["--host", "127.0.0.1", "--port", String(port)],
  ];
  const environment = { LITELLM_LOCAL_MODEL_COST_MAP: "True", LITELLM_MODE: "PRODUCTION", NO_DOCS: "True" };
  try {
    const engine = await startEngine("LiteLLM", command, { log: `${FOLDER}litellm.log`, environment });
    return {
      url: engine.url,
      async stop() {
        await engine.stop();
        await model.stop();
      },
    };
  } catch (error) {
    await model.stop();
    throw error;
  }
}

/** Two proxies on one spool: one that lives through the whole soak, one that is killed, replaced and starved. */
import { existsSync, globSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as Platform from "@central-llm/core/platform";
import type { ProcessLog } from "../process-log.ts";
import { ProxyLife } from "./proxy-life.ts";
import { MAX_BODY_BYTES } from "./request-kind.ts";
import { untilUp } from "./restart.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** Long enough that a busy machine is not taken for a hung upstream. */
const UPSTREAM_PATIENCE_MS = 6_000;

export class ProxyFleet {
  readonly #environment: Record<string, string>;
  readonly #log: ProcessLog;
  readonly #clockFile: string;
  /** Debian's libfaketime: the mortal proxy's clock can be stepped where it is installed. */
  readonly fakeTime: string | null;
  readonly lives: ProxyLife[] = [];
  steady!: ProxyLife;
  mortal!: ProxyLife;

  constructor(options: { folder: string; log: ProcessLog; environment: Record<string, string> }) {
    this.#log = options.log;
    this.#clockFile = join(options.folder, "clock");
    this.fakeTime = fakeTimeLibrary();
    this.stepClock(0);
    this.#environment = {
      NODE_OPTIONS: Platform.PROXY_NODE_OPTIONS,
      PROFILE: "central",
      HOST: "127.0.0.1",
      PORT: "0",
      AUDIT_BUCKET: Platform.AUDIT_BUCKET,
      AUDIT_PREFIX: Platform.AUDIT_PREFIX,
      FIRST_BYTE_TIMEOUT_MS: String(UPSTREAM_PATIENCE_MS),
      IDLE_TIMEOUT_MS: String(UPSTREAM_PATIENCE_MS),
      MAX_BODY_BYTES: String(MAX_BODY_BYTES),
      // Small, so that segments change all the time.
      SPOOL_SEGMENT_BYTES: String(2 ** 20),
      AUDIT_STATEMENT_EVERY_MS: "2000",
      ...options.environment,
    };
  }

  async start(): Promise<void> {
    this.steady = await this.#begin("steady", {});
    this.mortal = await this.#begin("mortal", this.#clockVariables());
  }

  #clockVariables(): Record<string, string> {
    if (this.fakeTime === null) return {};
    return {
      LD_PRELOAD: this.fakeTime,
      FAKETIME_TIMESTAMP_FILE: this.#clockFile,
      FAKETIME_NO_CACHE: "1",
      // A step of the clock is no jump of the machine's uptime.
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  async #begin(name: string, extra: Record<string, string>): Promise<ProxyLife> {
    const life = await ProxyLife.start(
      name,
      { ...this.#environment, WRITER_NAME: name, ...extra },
      this.#log,
    );
    this.lives.push(life);
    return life;
  }

  /** A new life for the mortal proxy; requests go to it from now on. */
  async revive(extra: Record<string, string> = {}): Promise<void> {
    this.mortal = await untilUp(() => this.#begin("mortal", { ...this.#clockVariables(), ...extra }));
  }

  /** Who takes the next request. */
  pick(random: SeededRandom): ProxyLife {
    return this.mortal.serving && random.chance(0.5) ? this.mortal : this.steady;
  }

  /** Sets the mortal proxy's clock to so many seconds from the machine's, while it runs. */
  stepClock(seconds: number): void {
    writeFileSync(this.#clockFile, `${seconds < 0 ? "" : "+"}${seconds}`);
  }

  /** Kills the mortal proxy and deletes what its spool holds, as when its machine is lost with the disk. */
  async loseMortalWithDisk(): Promise<void> {
    const life = this.mortal;
    life.mayLose = "disk";
    await life.kill();
    // At once: a peer that came by in the middle would recover half of it, and close the writer's account with that.
    rmSync(join(this.#environment.SPOOL_DIR ?? "", life.writer), { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    for (const life of [this.steady, this.mortal]) if (life?.serving) await life.kill();
  }
}

function fakeTimeLibrary(): string | null {
  const named = process.env.FAKETIME_LIBRARY;
  if (named) return existsSync(named) ? named : null;
  return globSync("/usr/lib/*/faketime/libfaketimeMT.so.1")[0] ?? null;
}

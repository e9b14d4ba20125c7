/** The PII filter as the gateway uses it: which policy is in force for a caller, and which engine checks by it. */
import { hash } from "node:crypto";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { ACTIONS, ENTITIES } from "@central-llm/core/pii-entity";
import { type FilterOutcome, filterAnswer, filterRequest } from "@central-llm/core/pii-filter";
import { DEFAULT_POLICY, type PiiPolicy, policyHash, tighten } from "@central-llm/core/pii-policy";
import { z } from "zod";
import { filterWithGuardrail, type GuardrailConfig } from "./bedrock-guardrail.ts";
import type { CallContext } from "./call-context.ts";

/** What the operators change of the default policy, in either direction. */
export const PlatformPolicy = z.partialRecord(z.enum(ENTITIES), z.enum(ACTIONS));

export interface PolicyInForce {
  pii: PiiPolicy;
  /** Of the limits and filters in force, for the audit record. */
  hash: string;
}

export interface GuardSettings {
  platform: z.infer<typeof PlatformPolicy> | undefined;
  guardrail: GuardrailConfig | null;
  region: string;
  /** Of Bedrock's runtime, where it is not AWS's own. */
  endpoint: string | undefined;
}

type Limits = Pick<CallContext, "rpmLimit" | "tpmLimit" | "maxBudget" | "metadata" | "teamMetadata">;

/** Distinct policies in memory: keys and teams have few. */
const MOST_POLICIES = 1_000;

export class PiiGuard {
  readonly #base: PiiPolicy;
  readonly #guardrail: GuardrailConfig | null;
  readonly #client: BedrockRuntimeClient | null;
  readonly #policies = new Map<string, PolicyInForce>();

  constructor({ platform, guardrail, region, endpoint }: GuardSettings) {
    this.#base = { ...DEFAULT_POLICY, ...platform };
    this.#guardrail = guardrail;
    this.#client =
      guardrail === null
        ? null
        : new BedrockRuntimeClient({ region, ...(endpoint === undefined ? {} : { endpoint }) });
  }

  /** Whether answers can be checked while they stream; the guardrail reads whole texts only. */
  get streams(): boolean {
    return this.#client === null;
  }

  /**
   * The platform's policy, tightened by `metadata.pii` of the team and of the key.
   * @throws ZodError when one of these is not a policy: the filter then fails closed
   */
  policyFor(limits: Limits | null): PolicyInForce {
    const name = JSON.stringify([
      limits?.rpmLimit,
      limits?.tpmLimit,
      limits?.maxBudget,
      limits?.teamMetadata?.pii,
      limits?.metadata?.pii,
    ]);
    let policy = this.#policies.get(name);
    if (policy === undefined) {
      const pii = tighten(
        this.#base,
        limits?.teamMetadata?.pii as Partial<PiiPolicy> | undefined,
        limits?.metadata?.pii as Partial<PiiPolicy> | undefined,
      );
      const parts = [policyHash(pii), this.#guardrail, limits?.rpmLimit, limits?.tpmLimit, limits?.maxBudget];
      policy = { pii, hash: hash("sha256", JSON.stringify(parts), "hex") };
      if (this.#policies.size >= MOST_POLICIES) this.#policies.clear();
      this.#policies.set(name, policy);
    }
    return policy;
  }

  request(body: unknown, policy: PiiPolicy): FilterOutcome | Promise<FilterOutcome> {
    return this.#check(body, policy, "request");
  }

  answer(body: unknown, policy: PiiPolicy): FilterOutcome | Promise<FilterOutcome> {
    return this.#check(body, policy, "answer");
  }

  #check(body: unknown, policy: PiiPolicy, side: "request" | "answer") {
    if (this.#client === null || this.#guardrail === null)
      return (side === "request" ? filterRequest : filterAnswer)(body, policy);
    return filterWithGuardrail(this.#client, this.#guardrail, body, policy, side);
  }

  /** For the audit alone: a body of which nothing was or will be sent. @returns null when it cannot be checked */
  forAudit(body: unknown): unknown {
    const checked = filterRequest(body, this.#base);
    return checked.outcome === "failed" ? null : checked.auditBody;
  }

  destroy(): void {
    this.#client?.destroy();
  }
}

/** `GET /api/audit/{id}/proof`: whether the record is what was written. */
import * as ChainProof from "@central-llm/core/chain-proof";
import * as DigestSeal from "@central-llm/core/digest-seal";
import { trailStore } from "@central-llm/core/trail-store";
import type { CallOf } from "./call.ts";
import type { ProofAnswer } from "./contract-record.ts";
import { findRows } from "./record.ts";

const EXPLANATIONS: Record<ProofAnswer["state"], string> = {
  sealed: "The object is unchanged since a signed digest recorded it.",
  chained:
    "The writer's next record holds this object's hash, so it has not been changed since. No digest has it yet.",
  alone: "No later record or digest refers to this object yet, so nothing vouches for it so far.",
  broken:
    "The object is not what the chain of its writer recorded: it, or a neighbour, was changed or removed.",
  unknown: "The object cannot be read, or its writer kept no chain.",
};

function stateOf(
  { sha256, chain, previous, next }: ChainProof.ChainProof,
  seal: DigestSeal.Seal | null,
): ProofAnswer["state"] {
  if (sha256 === null) return "unknown";
  if (seal?.sha256 && seal.sha256 !== sha256) return "broken";
  if (chain === null) return seal?.signed && seal.sha256 ? "sealed" : "unknown";
  if (previous.state === "broken" || next.state === "broken") return "broken";
  if (seal?.signed && seal.sha256) return "sealed";
  return next.state === "linked" ? "chained" : "alone";
}

export async function proof(call: CallOf<"proof">): Promise<ProofAnswer> {
  const { context, person } = call;
  const [row] = await findRows(call);
  const trail = { s3: context.s3, table: context.table, maxObjectBytes: context.config.MAX_OBJECT_BYTES };
  const proven = await ChainProof.prove(trail, row);
  const reader = trailStore(context.s3, context.config.AUDIT_BUCKET);
  const seal =
    proven.storedAt === null
      ? null
      : await DigestSeal.sealOf(
          reader,
          await DigestSeal.publishedKeys(reader),
          String(row.auditObjectKey),
          proven.storedAt,
        );
  const state = stateOf(proven, seal);
  // A neighbour may belong to another project; that it agrees may be known, its name may not.
  const named = person.projects === null;
  const shown = ({ state, requestId }: ChainProof.Link) => ({ state, requestId: named ? requestId : null });
  return {
    state,
    explanation: EXPLANATIONS[state],
    sha256: proven.sha256,
    writer: proven.chain?.writer ?? null,
    sequence: proven.chain?.sequence ?? null,
    previous: shown(proven.previous),
    next: shown(proven.next),
    digest: seal && { key: seal.key, hour: seal.hour, signed: seal.signed },
  };
}

/** A writer's spool of its own for unit tests. */
import type { Watermark } from "../spool-layout.ts";
import { SpoolWriter } from "../spool-writer.ts";

export function openSpool(
  directory: string,
  watermark: Watermark,
  onTrouble: (problem: unknown) => void = () => {},
): Promise<SpoolWriter> {
  return SpoolWriter.open({
    directory,
    writer: "a-1",
    segmentBytes: 2 ** 20,
    syncIntervalMs: 5,
    maxBytes: 2 ** 30,
    sync: true,
    watermark,
    inFlight: () => [],
    onTrouble,
  });
}

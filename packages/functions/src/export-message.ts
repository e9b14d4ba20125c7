/** What waits in the queue of exports: which job is to be worked on. */
import { z } from "zod";

export const ExportMessage = z.object({ owner: z.string().min(1), jobId: z.string().min(1) });

/** Every route's handler. */
import { accessLog, views } from "./access-log.ts";
import { audit, tail } from "./audit-list.ts";
import type { Handlers } from "./call.ts";
import { facets, series } from "./charts.ts";
import { completeness } from "./completeness.ts";
import { deadLetters, replay } from "./dead-letters.ts";
import { createExport, exported, exportLink, exports, retryExport } from "./exports.ts";
import { blockKey, budgets, changeKey, createKey, keys, rotateKey, unblockKey } from "./keys.ts";
import { openApi } from "./open-api.ts";
import { overview } from "./overview.ts";
import { proof } from "./proof.ts";
import { reconcile } from "./reconcile.ts";
import { body, neighbours, record } from "./record.ts";
import { config, me } from "./sign-in.ts";

export const HANDLERS: Handlers = {
  config,
  openApi,
  me,
  audit,
  tail,
  record,
  body,
  proof,
  views,
  neighbours,
  facets,
  series,
  overview,
  completeness,
  createExport,
  exports,
  export: exported,
  retryExport,
  exportLink,
  deadLetters,
  replay,
  reconcile,
  keys,
  createKey,
  changeKey,
  rotateKey,
  blockKey,
  unblockKey,
  budgets,
  accessLog,
};
